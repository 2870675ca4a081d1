"""What the disk can refuse, said in the user's words, and files that are whole or absent."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aot import units
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write to the file system of ``path``."""
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


@contextmanager
def disk_errors(path: Path, needed: int | None = None) -> Iterator[None]:
    """Turn an ``OSError`` while writing below ``path`` into ``DISK_FULL`` or ``STORE_UNWRITABLE``."""
    try:
        yield
    except OSError as problem:
        if problem.errno in _FULL:
            raise disk_full(path, needed, problem.strerror) from problem
        raise AotError(
            ErrorId.STORE_UNWRITABLE,
            reason=f"cannot write to {path}: {problem}",
            remedy="check owner, permissions and mount options, or choose another directory with --store",
        ) from problem


def disk_full(path: Path, needed: int | None, why: str | None = None) -> AotError:
    """The error for a full disk, a quota or a file size limit, with what is needed and what is free."""
    wanted = f"; {units.size(needed)} are needed" if needed is not None else ""
    try:
        left = f", {units.size(free_bytes(path))} are free"
    except OSError:
        left = ""
    return AotError(
        ErrorId.DISK_FULL,
        reason=f"no room to write to {path} ({why or 'No space left on device'}){wanted}{left}",
        remedy="free some space or raise the quota, or choose a directory on a larger disk with --store",
        facts={"path": str(path), "needed_bytes": needed},
    )


def require_free(path: Path, needed: int) -> None:
    """Raise ``DISK_FULL`` now rather than after minutes of copying."""
    if free_bytes(path) < needed:
        raise disk_full(path, needed)


def fsync_directory(path: Path) -> None:
    """Make renames in ``path`` survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_new(path: Path, content: bytes) -> None:
    """Write and fsync a small file that nobody else looks at yet."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def publish(temporary: Path, final: Path) -> None:
    """Move a finished, fsynced file to the name others read, replacing what was there."""
    temporary.replace(final)
    fsync_directory(final.parent)
