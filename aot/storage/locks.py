"""File locks that die with their process, and staging directories guarded by them.

``flock`` is released by the kernel when its holder ends, however it ends, so a free lock is the proof that whoever made
a staging directory is gone; no process id is ever trusted for that. Lock files are removed by their holders, therefore
a lock counts only while the locked file still has its name.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aot.artifact.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_POLL_SECONDS = 0.05
_TELL_EVERY_SECONDS = 1.0


@contextmanager
def exclusive(path: Path, waiting: Callable[[int | None], None] | None = None) -> Iterator[None]:
    """Hold the lock file ``path``; while another process holds it, call ``waiting`` with its pid about once a second.

    Polls instead of blocking, so that an interrupt is noticed and the caller can say how long it has been waiting.
    """
    told = float("-inf")
    while (handle := _try_or_say(path)) is None:
        if waiting is not None and time.monotonic() - told >= _TELL_EVERY_SECONDS:
            waiting(_holder(path))
            told = time.monotonic()
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _try_or_say(path: Path) -> int | None:
    """``_try`` with a read-only or full disk said in the user's words. The guarded body keeps its own errors."""
    with disk_errors(path.parent):
        return _try(path)


def _try(path: Path) -> int | None:
    """Lock ``path`` and write our pid into it, or return None when somebody else has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    if not _still_named(handle, path):
        os.close(handle)
        return None
    os.ftruncate(handle, 0)
    os.write(handle, f"{os.getpid()}\n".encode())
    return handle


def _still_named(handle: int, path: Path) -> bool:
    """Whether the file we locked is the one others will find; its last holder may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """A new directory below ``root``, removed at the end, or by the next ``sweep`` if this process is killed.

    The lock file is there before the directory and goes after it: a directory without a held lock has no owner.
    """
    name = secrets.token_hex(8)
    with exclusive(root / f"{name}.lock"):
        directory = root / name
        with disk_errors(root):
            directory.mkdir()
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def sweep(root: Path) -> list[Path]:
    """Remove the staging directories of dead processes; returns those that were found."""
    if not root.is_dir():
        return []
    found = []
    for name in sorted({entry.name.removesuffix(".lock") for entry in root.iterdir()}):
        lock = root / f"{name}.lock"
        try:
            handle = _try(lock)
        except PermissionError:  # another user's, in a shared store
            continue
        if handle is None:
            continue
        if (root / name).exists():
            found.append(root / name)
            shutil.rmtree(root / name, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(handle)
    return found
