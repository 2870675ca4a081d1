"""What a build would trip over on this machine, found before it starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from aot import host, lock, toolchain, units
from aot.compile.engine import IMAGE_BYTES, MEMORY_BYTES, SCRATCH_BYTES, Needs
from aot.errors import AotError, ErrorId
from aot.storage.local import LocalStore

if TYPE_CHECKING:
    from aot.compile.engine import Engine

Severity = Literal["warning", "error"]


class Check(msgspec.Struct, frozen=True):
    """One look at the machine; a build trips over an ``error`` and not over a ``warning``."""

    name: str
    status: Literal["ok", "warning", "error"]
    detail: str
    remedy: str | None = None


def examine(engine: Engine, store: Path, lock_path: Path, *, simulate: bool = False) -> list[Check]:
    """Run all checks; none of them changes anything. With ``simulate`` only what engine ``local`` needs is an error."""
    severity: Severity = "warning" if simulate else "error"
    return [
        _memory(),
        _attempt("docker engine", severity, lambda: _engine(engine, store)),
        _attempt("store", "error", lambda: _store(store)),
        _attempt("lock", "error", lambda: _lock(lock_path)),
        _attempt("toolchains", "error", _toolchains),
    ]


def _attempt(name: str, severity: Severity, look: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", look())
    except AotError as problem:
        return Check(name, severity, problem.reason, problem.remedy)


def _memory() -> Check:
    memory = host.memory()
    if memory is None:
        return Check("memory", "warning", "unknown: no /proc/meminfo", "build on Linux")
    return Check("memory", "ok", f"{units.size(memory.available)} of {units.size(memory.total)} available")


def _engine(engine: Engine, store: Path) -> str:
    """What a real build checks before it starts: architecture, memory, disk for the image and for its scratch files."""
    engine.preflight(
        Needs(memory_bytes=MEMORY_BYTES, image_bytes=IMAGE_BYTES, scratch_bytes=SCRATCH_BYTES, scratch_dir=store)
    )
    return "reachable, amd64, with memory and room for the image"


def _store(path: Path) -> str:
    count = len(LocalStore(path).open().list())
    nearest = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not os.access(nearest, os.W_OK):
        raise AotError(
            ErrorId.STORE_UNWRITABLE,
            reason=f"{nearest} cannot be written to",
            remedy="choose another directory with --store or AOT_STORE, or change its permissions",
        )
    free = host.disk_free(path)
    return f"{path}: {count} artifacts" + (f", {units.size(free)} free" if free is not None else "")


def _lock(path: Path) -> str:
    pins = lock.read(path).toolchains
    return f"{path}: {', '.join(pins) if pins else 'no toolchain locked yet (the first real build does it)'}"


def _toolchains() -> str:
    for name in toolchain.names():
        toolchain.load(name)
    return f"{len(toolchain.names())} known"
