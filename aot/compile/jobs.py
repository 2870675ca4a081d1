"""Jobs for the runner: the document it reads (``job.json``), the directories, and what they need of the host."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aot import resources
from aot.compile import simulator_image
from aot.compile.engine import IMAGE_BYTES, MEMORY_BYTES, Job, Needs
from aot.compile.local import SIMULATOR_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from aot.compile.engine import Engine
    from aot.compile.remedies import Remedy
    from aot.plan import BuildPlan
    from aot.progress import Progress

SCHEMA_VERSION = 1
USAGE_CONTEXT = "OPENAI_API_SERVER"
DIRECTORIES = ("model", "output", "scratch")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How to run a job, as opposed to what it does. ``memory_bytes`` limits the container."""

    lock_path: Path
    simulator_image: str | None = None
    timeout_seconds: float | None = None
    memory_bytes: int | None = None
    keep_container: bool = False


@dataclass(frozen=True)
class Where:
    """What a job runs in: an image by reference (None for engine ``local``), or the simulator playing a toolchain."""

    python: str
    image: str | None
    simulates: str | None = None


def where(python: str, pinned: str | None, simulates: str | None, settings: RunSettings) -> Where:
    """The image ``pinned``, or the simulator's image when ``simulates`` names a toolchain."""
    if simulates is None:
        return Where(python, pinned)
    return Where(python, settings.simulator_image or simulator_image.reference(resources.simulator()), simulates)


def make_directories(directory: Path) -> None:
    """What ``make_job`` expects in ``directory``."""
    for name in DIRECTORIES:
        (directory / name).mkdir()


def make_job(directory: Path, cache: Path, document: Mapping[str, Any], place: Where, settings: RunSettings) -> Job:
    """A job with its directories below ``directory``; the model's files are in ``directory/model``."""
    return Job(
        image=place.image,
        python=place.python,
        environment=simulator_environment(place.simulates) if place.simulates else {},
        document=document,
        model_dir=directory / "model",
        model_path=document["model_path"],
        output_dir=directory / "output",
        cache_dir=cache,
        scratch_dir=directory / "scratch",
        memory_bytes=settings.memory_bytes,
        timeout_seconds=settings.timeout_seconds,
        keep=settings.keep_container,
    )


def reap(engine: Engine, progress: Progress) -> None:
    """Remove what killed processes left in the engine, and say so."""
    for removed in engine.reap():
        progress.info(f"removed what a killed aot left behind: {removed}")


def make_ready(
    engine: Engine, directory: Path, place: Where, settings: RunSettings, progress: Progress, *, scratch_bytes: int
) -> None:
    """Clean up after killed runs and check the host: room for AWS's image, while the simulator needs next to nothing.

    Raises the errors of ``Engine.preflight``.
    """
    reap(engine, progress)
    real = place.simulates is None
    engine.preflight(
        Needs(
            memory_bytes=settings.memory_bytes or (MEMORY_BYTES if real else 0),
            scratch_bytes=scratch_bytes if real else 0,
            image_bytes=IMAGE_BYTES if real else 0,
            scratch_dir=directory,
            image=place.image if real else None,
            amd64=real,
        )
    )


def job_document(
    plan: BuildPlan,
    remedies: Sequence[Remedy] = (),
    *,
    jobs: int = 1,
    expected_fingerprint: str | None = None,
    action: Literal["compile", "fingerprint"] = "compile",
) -> dict[str, Any]:
    """What the runner is to do.

    ``expected_fingerprint`` stops it before the compile when it finds another one; None compiles anyway.
    """
    environment = plan.request.environment()
    if plan.request.compiler_flags is not None:
        environment["NEURON_CC_FLAGS"] = plan.request.compiler_flags
    engine_args = plan.options.engine_args()
    if plan.request.trust_remote_code:
        engine_args["trust_remote_code"] = True
    return {
        "schema_version": SCHEMA_VERSION,
        "action": action,
        "target": plan.target,
        "model_path": plan.model.path,
        "engine_args": engine_args,
        "usage_context": USAGE_CONTEXT,
        "environment": environment,
        "patches": [{"id": p.id, "parameters": p.parameters} for remedy in remedies for p in remedy.patches],
        "jobs": jobs,
        "expected_fingerprint": expected_fingerprint,
    }


def simulator_environment(toolchain: str) -> dict[str, str]:
    """Variables of the simulator: which release it plays, and the switches a user or a test has set."""
    switches = {name: value for name, value in os.environ.items() if name.startswith(SIMULATOR_PREFIX)}
    return {**switches, f"{SIMULATOR_PREFIX}TOOLCHAIN": toolchain}
