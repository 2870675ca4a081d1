"""What a build would trip over on this machine, found before it starts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from aot import host, lock, toolchain
from aot.compile.engine import IMAGE_BYTES, SCRATCH_BYTES, Needs
from aot.errors import AotError
from aot.storage.local import LocalStore

if TYPE_CHECKING:
    from aot.compile.engine import Engine


class Check(msgspec.Struct, frozen=True):
    """One look at the machine; ``warning`` leaves ``aot build --simulate --engine local`` possible."""

    name: str
    status: Literal["ok", "warning", "error"]
    detail: str
    remedy: str | None = None


def examine(engine: Engine, store: Path, lock_path: Path) -> list[Check]:
    """Run all checks; none of them changes anything."""
    return [
        _machine(),
        _memory(),
        _attempt("docker engine", "warning", lambda: _engine(engine)),
        _attempt("store", "error", lambda: _store(store)),
        _attempt("lock", "error", lambda: _lock(lock_path)),
        _attempt("toolchains", "error", _toolchains),
    ]


def _attempt(name: str, severity: Literal["warning", "error"], look: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", look())
    except AotError as problem:
        return Check(name, severity, problem.reason, problem.remedy)


def _machine() -> Check:
    if host.machine() == "amd64":
        return Check("architecture", "ok", "amd64")
    return Check("architecture", "error", f"{host.machine()}: AWS's image is amd64 only", "build on an amd64 machine")


def _memory() -> Check:
    memory = host.memory()
    if memory is None:
        return Check("memory", "warning", "unknown: no /proc/meminfo", "build on Linux")
    return Check("memory", "ok", f"{host.gib(memory.available)} of {host.gib(memory.total)} available")


def _engine(engine: Engine) -> str:
    engine.preflight(
        Needs(image_bytes=IMAGE_BYTES, scratch_bytes=SCRATCH_BYTES, scratch_dir=Path(tempfile.gettempdir()))
    )
    return "reachable, with room for the image"


def _store(path: Path) -> str:
    count = len(LocalStore(path).open().list())
    free = host.disk_free(path)
    return f"{path}: {count} artifacts" + (f", {host.gib(free)} free" if free is not None else "")


def _lock(path: Path) -> str:
    pins = lock.read(path).toolchains
    return f"{path}: {', '.join(pins) if pins else 'no toolchain locked yet (the first real build does it)'}"


def _toolchains() -> str:
    for name in toolchain.names():
        toolchain.load(name)
    return f"{len(toolchain.names())} known"
