"""What an engine is: something that runs one job of the runner and streams its output.

Two engines exist: ``container.ContainerEngine`` and ``local.LocalEngine`` (simulator only). They differ in where the
directories of a job appear to the runner; the job itself, its ``job.json`` and its result file are the same.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from aot import host, resources
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

IMAGE_BYTES = 30 << 30
"""Disk for AWS's image: about 10 GB to pull, roughly three times that unpacked (an estimate, not a measurement)."""
MEMORY_BYTES = 8 << 30
"""Memory below which a real compile is not even tried: tracing holds a shard of the model (an estimate)."""
SCRATCH_BYTES = 10 << 30
"""Disk for the intermediate files and the NEFFs of one compile (an estimate)."""

RUNNER_PACKAGE = "aot_runner"
"""Import name of the copy of ``aot/runner``: never ``aot``, which the image must not be able to import."""


@dataclass(frozen=True)
class Job:
    """One run of the runner; the caller creates the three writable directories and owns what is in them.

    ``document`` is job.json without ``output_dir``, ``cache_dir`` and ``work_dir``: those are the engine's to say.
    ``environment`` is all that the process gets besides what the engine itself sets (HOME, PYTHONPATH, PATH ...).
    """

    image: str | None
    python: str
    environment: Mapping[str, str]
    document: Mapping[str, Any]
    model_dir: Path
    model_path: str
    output_dir: Path
    cache_dir: Path
    scratch_dir: Path
    memory_bytes: int | None = None
    timeout_seconds: float | None = None
    keep: bool = False


@dataclass(frozen=True)
class Exit:
    """How the runner ended. ``status`` is 128 + N when signal N killed it, as a shell reports it.

    ``out_of_memory`` also holds when a child of the runner (the compiler) was the victim, as far as the engine can
    know; ``detail`` is then a sentence for the user that says how sure that is.
    """

    status: int
    signal: str | None = None
    out_of_memory: bool = False
    timed_out: bool = False
    seconds: float = 0.0
    detail: str = ""


class LineSink(Protocol):
    """Receives the runner's output, always from the thread that called ``run``.

    Lines come without their newline, as bytes: compilers print what they like. A line longer than
    ``lines.MAX_LINE`` arrives in pieces.
    """

    def stdout(self, line: bytes) -> None:
        """One line of standard output (JSON Lines events)."""

    def stderr(self, line: bytes) -> None:
        """One line of standard error (free text)."""

    def tick(self, elapsed_seconds: float) -> None:
        """Called about once per second while the runner lives, whether or not it prints."""


class Engine(Protocol):
    """Runs jobs, one at a time."""

    name: str

    def preflight(self, needs: Needs) -> None:
        """Raise an ``AotError`` when the engine is absent or the host too small for a job."""

    def run(self, job: Job, sink: LineSink) -> Exit:
        """Run a job to its end; whatever interrupts this call also ends the job."""

    def stop(self) -> None:
        """End the running job, if any. May be called twice, and from another thread."""

    def reap(self) -> list[str]:
        """Remove what an ``aot`` that was killed left behind; returns a description of each thing removed."""

    def image_digest(self, reference: str) -> str | None:
        """``sha256:...`` of an image, or None when neither the engine nor its registry knows it."""


@dataclass(frozen=True)
class Needs:
    """What a job asks of its host. Bytes; 0 means "not checked". ``image_bytes`` only counts until it is there."""

    memory_bytes: int = 0
    scratch_bytes: int = 0
    image_bytes: int = 0
    scratch_dir: Path = field(default_factory=lambda: Path("/tmp"))  # noqa: S108 - only its free space is read
    image: str | None = None
    amd64: bool = True


@dataclass(frozen=True)
class JobPaths:
    """The directories of a job as the runner sees them."""

    job: str
    output: str
    cache: str
    work: str


def attempt_dir(job: Job) -> Path:
    """A new directory for one run, with an empty ``job`` and an empty ``work`` in it."""
    with writing(job.scratch_dir):
        directory = Path(tempfile.mkdtemp(prefix="attempt-", dir=job.scratch_dir)).resolve()
        for name in ("job", "work"):
            (directory / name).mkdir()
        return directory


def prepare(job: Job, directory: Path, paths: JobPaths, *, runner: Path | None = None) -> None:
    """Fill ``directory`` with a copy of the runner and with job.json."""
    refuse_secrets(job.environment)
    refuse_secrets(job.document.get("environment", {}))
    document = {**job.document, "output_dir": paths.output, "cache_dir": paths.cache, "work_dir": paths.work}
    with writing(directory):
        shutil.copytree(
            runner or resources.runner(), directory / RUNNER_PACKAGE, ignore=shutil.ignore_patterns("__pycache__")
        )
        (directory / "job.json").write_text(json.dumps(document, indent=2, sort_keys=True), encoding="utf-8")


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Turn what the disk refuses inside into an ``AotError``."""
    try:
        yield
    except OSError as error:
        # copytree gathers its errors into one that has no number; others without one are the network's, not the disk's
        if error.errno is None and not isinstance(error, shutil.Error):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error):
            raise AotError(
                ErrorId.DISK_FULL,
                reason=f"no room is left in {directory}, where the job's files are put",
                remedy=host.LARGER_DISK,
            ) from error
        raise AotError(
            ErrorId.ENGINE_FAILED,
            reason=f"the job's files could not be put into {directory}: {error}",
            remedy="check owner and permissions of that directory",
        ) from error


SECRET_WORDS = frozenset({"TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "CREDENTIALS"})


def looks_secret(name: str) -> bool:
    """Whether a variable's name says that its value is a credential.

    Whole words only: TOKENIZERS_PARALLELISM is none, and a name that continues "TOKEN_GENERATION" speaks of graphs.
    """
    words = name.upper().replace("TOKEN_GENERATION", "").split("_")
    return (
        words[0] == "AWS" or bool(SECRET_WORDS.intersection(words)) or words[-2:] in (["API", "KEY"], ["ACCESS", "KEY"])
    )


def refuse_secrets(environment: Mapping[str, str]) -> None:
    """Raise when a credential is about to be handed to the compiler: a container's environment can be inspected."""
    found = sorted(name for name in environment if looks_secret(name))
    if found:
        raise AotError(
            ErrorId.SECRET_IN_ENVIRONMENT,
            reason=f"the compile would receive {', '.join(found)}, readable by anyone who can inspect the container",
            remedy="leave it out: compiling needs no credentials, models and images are fetched before it starts",
        )


def plain_model_dir(job: Job, scratch: Path) -> Path:
    """A directory with the model's files and no symbolic link that would dangle inside the container.

    The Hub cache keeps snapshots as links into its blobs directory, which is not mounted.
    """
    if not any(path.is_symlink() for path in job.model_dir.rglob("*")):
        return job.model_dir
    target = scratch / "model"
    with writing(scratch):
        shutil.copytree(job.model_dir, target, copy_function=_link_or_copy)
    return target


def _link_or_copy(source: str, target: str) -> None:
    """Hard link (weights are tens of gigabytes) where the file system allows it."""
    try:
        Path(target).hardlink_to(Path(source).resolve())
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)


def exit_of(status: int, seconds: float, *, timed_out: bool = False) -> Exit:
    """An Exit from a shell-style status."""
    name = None
    if status > 128 and status - 128 in {int(number) for number in signal.Signals}:
        name = signal.Signals(status - 128).name
    return Exit(status=status, signal=name, timed_out=timed_out, seconds=seconds)
