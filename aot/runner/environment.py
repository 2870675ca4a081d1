"""The process environment a cross-compile needs, set before anything of Neuron is imported and again before compiling.

Names and where each is read: ``NEURON_PLATFORM_TARGET_OVERRIDE`` (torch_neuronx's ``get_platform_target``; NxD
``utils/utils.py``), ``NEURON_CC_FLAGS`` and ``NEURON_COMPILE_CACHE_URL`` (libneuronxla's compile wrapper; AWS Neuron
documentation, "Neuron Persistent Cache"), ``BASE_COMPILE_WORK_DIR`` (NxDI ``application_base.py``, default
``/tmp/nxd_model/``, emptied at the start of every build).
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .failures import RunnerError

if TYPE_CHECKING:
    from .job import Job

# What the report behind this project compiled with; NEURON_CC_FLAGS given by the caller replaces all but the target.
DEFAULT_FLAGS = "--enable-saturate-infinity --enable-mixed-precision-accumulation --model-type transformer"


def compiler_flags(target: str, given: str | None) -> str:
    """``NEURON_CC_FLAGS`` for a target: given flags are kept; a target in them that contradicts the job is refused."""
    flags = (given or "").strip() or DEFAULT_FLAGS
    named = _named_target(flags)
    if named is None:
        return f"{flags} --target {target}"
    if named != target:
        raise RunnerError("environment", f"NEURON_CC_FLAGS says --target {named}, but the job is for {target}")
    return flags


def _named_target(flags: str) -> str | None:
    words = shlex.split(flags)
    for position, word in enumerate(words):
        if word.startswith("--target="):
            return word.partition("=")[2]
        if word == "--target" and position + 1 < len(words):
            return words[position + 1]
    return None


def settings(job: Job) -> dict[str, str]:
    """The variables that must hold while compiling; one asked for by the job wins over the container's own."""
    given_flags = job.environment.get("NEURON_CC_FLAGS", os.environ.get("NEURON_CC_FLAGS"))
    return {
        "NEURON_PLATFORM_TARGET_OVERRIDE": job.target,
        **job.environment,
        "NEURON_CC_FLAGS": compiler_flags(job.target, given_flags),
        "NEURON_COMPILE_CACHE_URL": job.cache_dir,
        "BASE_COMPILE_WORK_DIR": str(Path(job.work_dir) / "nxd_model") + "/",
    }


def defaults(job: Job) -> dict[str, str]:
    """What the image's packages need to work as any user without network; the container's own values win."""
    work = Path(job.work_dir)
    return {
        "HOME": job.work_dir,
        "USER": "aot",  # getpass.getuser(), called by torch and libneuronxla, fails for a uid without a passwd entry
        "HF_HUB_OFFLINE": "1",  # the model is a directory; without this, every lookup waits for the network to time out
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CACHE_ROOT": str(work / "vllm"),
        "TORCHINDUCTOR_CACHE_DIR": str(work / "inductor"),
    }


def prepare(job: Job) -> dict[str, str]:
    """Create the directories, enter the working directory (NxD leaves ``.hlo`` files there), set the variables."""
    variables = settings(job)
    # NxD empties it too, but only after loading the model: until then a former attempt's graphs would be reported.
    shutil.rmtree(variables["BASE_COMPILE_WORK_DIR"], ignore_errors=True)
    for directory in (job.output_dir, job.cache_dir, job.work_dir):
        try:
            Path(directory).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunnerError("environment", f"cannot create {directory}: {error.strerror}") from error
        if not os.access(directory, os.W_OK | os.X_OK):
            raise RunnerError("environment", f"{directory} is not writable for user {os.getuid()}")
    try:
        os.chdir(job.work_dir)
    except OSError as error:
        raise RunnerError("environment", f"cannot enter {job.work_dir}: {error.strerror}") from error
    for name, value in defaults(job).items():
        os.environ.setdefault(name, value)
    os.environ.update(variables)
    return variables


def reapply(variables: dict[str, str]) -> list[str]:
    """Undo what vLLM or torch_neuronx changed meanwhile, so that NEFFs are for the target; names of what changed."""
    changed = [name for name, value in variables.items() if os.environ.get(name) != value]
    os.environ.update(variables)
    return changed
