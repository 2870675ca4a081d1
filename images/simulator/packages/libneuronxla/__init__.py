"""SIMULATED libneuronxla: run ``neuronx-cc`` from PATH, behind a persistent cache laid out like the genuine one.

An entry is ``neuronxcc-<version>/MODULE_<key>+<flags>/``. ``model.neff`` and ``model.done`` mean success; ``model.log``
without ``model.neff`` is a failure, which is cached too and never tried again until somebody removes it.
"""

import fcntl
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from aot_simulator import switches
from aot_simulator.toolchains import current

__version__ = current().version("libneuronxla")


def neuron_xla_compile(
    module_bytes, compiler_flags, input_format="hlo", platform_target="trn1", cache_key=None,
    retry_failed_compilation=False, lazy=True, use_cache=True, cache_dir=None, work_dir=None, create_subdir=True,
) -> bytes:  # fmt: skip
    flags = shlex.split(compiler_flags)
    cache = Path(cache_dir or os.environ.get("NEURON_COMPILE_CACHE_URL") or "/var/tmp/neuron-compile-cache")  # noqa: S108
    # The log file's path does not change what is compiled; the module's key already has it (as upstream's has).
    digest = hashlib.md5(json.dumps([f for f in flags if not f.startswith("--logfile")]).encode()).hexdigest()  # noqa: S324
    key = f"MODULE_{cache_key}+{digest[:8]}"
    entry = cache / f"neuronxcc-{current().version('neuronx-cc')}" / key
    entry.mkdir(parents=True, exist_ok=True)
    with (entry / "model.hlo_module.pb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (entry / "model.neff").exists():
            _log("INFO", f"Using a cached neff at {entry / 'model.neff'}")
            return (entry / "model.neff").read_bytes()
        if (entry / "model.log").exists() and not retry_failed_compilation:
            raise RuntimeError(_cached_failure(entry))
        (entry / "model.hlo_module.pb").write_bytes(module_bytes)
        (entry / "compile_flags.json").write_text(json.dumps(flags))
        return _compile(entry, key, module_bytes, flags, platform_target, Path(work_dir), str(cache))


neuron_xla_wlo_compile = neuron_xla_compile  # upstream's also returns an optimised weight layout


def _compile(entry: Path, key: str, module: bytes, flags: list, target: str, work_dir: Path, cache: str) -> bytes:
    hlo, neff = work_dir / f"model.{key}.hlo_module.pb", work_dir / f"model.{key}.neff"
    hlo.write_bytes(module)
    command = [
        "neuronx-cc",
        "compile",
        "--framework=XLA",
        str(hlo),
        "--output",
        str(neff),
        f"--target={target}",
        *flags,
    ]
    _log("INFO", f"Call compiler with cmd: {shlex.join(command)}")
    switches.at_compiler_start(cache)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        text = f"Failed compilation with {command}: {done.stdout}"
        (entry / "model.log").write_text(text)
        _log("ERROR", text)
        raise subprocess.CalledProcessError(done.returncode, command)
    data = neff.read_bytes()
    (entry / "model.neff").write_bytes(data)
    (entry / "model.done").touch()
    return data


def _cached_failure(entry: Path) -> str:
    text = (
        f"Got a cached failed neff at {entry / 'model.neff'}. Will skip compilation, please set "
        f"--retry_failed_compilation for recompilation: \n {(entry / 'model.log').read_text()}"
    )
    _log("ERROR", text)
    return text


def _log(level: str, text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} [{level}]: {text}", file=sys.stderr, flush=True)
