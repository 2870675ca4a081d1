"""What the runner leaves in its output directory, read back with suspicion: ``result.json`` and ``compiled/``."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from pathlib import Path

RESULT_LIMIT = 16 << 20
CANONICAL_LIMIT = 64 << 20
"""Bytes; a genuine result.json has a few kilobytes."""
ARTIFACT_FILES = ("neuron_config.json", "model.pt")

ErrorKind = Literal["refused", "patch-target-missing", "mismatch", "compile", "environment", "internal"]


class RunnerError(msgspec.Struct, frozen=True):
    """Why the runner gave up."""

    kind: ErrorKind
    type: str
    message: str


class FoundFingerprint(msgspec.Struct, frozen=True):
    """The serve-time hash as the server's own code computed it."""

    md5: str


class PatchReport(msgspec.Struct, frozen=True):
    """A patch the runner applied, and to what."""

    id: str
    target: str
    parameters: dict[str, Any] = {}
    applications: tuple[dict[str, Any], ...] = ()


class RunnerResult(msgspec.Struct, frozen=True, kw_only=True):
    """``result.json``; keys that a newer runner adds are ignored."""

    schema_version: Literal[1]
    outcome: Literal["compiled", "fingerprinted", "captured", "failed"]
    error: RunnerError | None = None
    fingerprint: FoundFingerprint | None = None
    architecture: str | None = None
    model_class: str | None = None
    neuron_config_class: str | None = None
    config_class: str | None = None
    resolved: dict[str, Any] | None = None
    platform: dict[str, Any] | None = None
    patches: tuple[PatchReport, ...] = ()
    versions: dict[str, str | None] = {}
    simulated: bool = False


def read_result(output_dir: Path) -> RunnerResult | None:
    """The runner's result, None if it left none. Raises ``RUNNER_DIED`` for one that cannot be trusted."""
    path = output_dir / "result.json"
    try:
        if not path.is_file() or path.is_symlink():
            return None
        size = path.stat().st_size
        if size <= RESULT_LIMIT:
            return msgspec.json.decode(path.read_bytes(), type=RunnerResult)
    except (OSError, ValueError) as problem:  # msgspec's errors are ValueErrors that name the field
        raise _unreadable(str(problem)) from problem
    raise _unreadable(f"it has {size} bytes, more than {RESULT_LIMIT}")


def _unreadable(problem: str) -> AotError:
    return AotError(
        ErrorId.RUNNER_DIED,
        reason=f"the result that the compile left behind cannot be read: {problem}",
        remedy="build again; if it happens again, report it with the log",
    )


def read_canonical(output_dir: Path, result: RunnerResult) -> str:
    """The text that the server's code hashed (``canonical.json``).

    Raises ``RUNNER_DIED`` when it is not there, or is not what ``result`` states the md5 of.
    """
    path = output_dir / "canonical.json"
    try:
        if not path.is_symlink() and path.stat().st_size <= CANONICAL_LIMIT:
            content = path.read_bytes()
            found = result.fingerprint.md5 if result.fingerprint else None
            if hashlib.md5(content, usedforsecurity=False).hexdigest() == found:
                return content.decode("utf-8")
            raise _unhashable(f"its md5 is not {found}, the fingerprint that was found")
    except (OSError, ValueError) as problem:
        raise _unhashable(str(problem)) from problem
    raise _unhashable("it is a link, or far too large")


def _unhashable(problem: str) -> AotError:
    return AotError(
        ErrorId.RUNNER_DIED,
        reason=f"the configuration that was hashed cannot be read back: {problem}",
        remedy="build again; if it happens again, report it with the log",
    )


def missing_files(output_dir: Path) -> list[str]:
    """Names of artifact files that are absent or empty although the runner reported success."""
    compiled = output_dir / "compiled"
    return [name for name in ARTIFACT_FILES if not (compiled / name).is_file() or (compiled / name).stat().st_size == 0]
