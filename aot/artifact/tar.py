"""Writing layers: tar archives that depend on nothing but names and contents.

Time 0, owner 0, modes 0644 and 0755, members in the given order with their parent directories before them. Headers are
made here and not by ``tarfile``, whose bytes have changed between Python releases (device numbers of plain files): they
are those of ``tar --format=ustar``, with a pax header before them only where a name or a size does not fit.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from aot.artifact.record import FileFact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHUNK = 1 << 20
BLOCK = 512
_NAME_FIELD = 100
_MAX_USTAR_SIZE = 0o77777777777
_END = bytes(2 * BLOCK)
_SAFE_NAME = re.compile(r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*(/[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*)*")


@dataclass(frozen=True)
class Member:
    """One file to pack: its path in the image, and its content or where to read it."""

    name: str
    source: Path | bytes


@dataclass(frozen=True)
class Layer:
    """A tar archive on disk, with the facts about the files inside it."""

    path: Path
    digest: str
    size: int
    files: dict[str, FileFact]


class BadFileError(Exception):
    """A file that cannot be packed as it is; the message says why."""


def safe_name(name: str) -> bool:
    """Whether ``name`` is a plain relative path: no root, no ``..``, no hidden parts, no control characters."""
    return _SAFE_NAME.fullmatch(name) is not None


def write_layer(destination: Path, members: Sequence[Member]) -> Layer:
    """Write ``members`` to ``destination`` in one pass, fsync it, and return the digests of archive and files."""
    files: dict[str, FileFact] = {}
    with destination.open("wb") as out, ThreadPoolExecutor(2) as pool:
        archive = _Archive(out, pool)
        for directory in _parents(members):
            archive.emit(header(directory, 0, directory=True))
        for member in members:
            with _open(member.source) as (file, size):
                archive.emit(header(member.name, size))
                files[member.name] = archive.copy(member.name, file, size)
        archive.emit(_END)
        out.flush()
        os.fsync(out.fileno())
        return Layer(destination, f"sha256:{archive.sha256.hexdigest()}", out.tell(), files)


class _Archive:
    """The archive being written and its running digest.

    The two sha256 of a large file are computed side by side while it is being written (hashlib lets go of the
    interpreter lock), and memory stays at one piece.
    """

    def __init__(self, out: BinaryIO, pool: ThreadPoolExecutor) -> None:
        self._out = out
        self._pool = pool
        self.sha256 = hashlib.sha256()

    def emit(self, data: bytes) -> None:
        self.sha256.update(data)
        self._out.write(data)

    def copy(self, name: str, file: BinaryIO, size: int) -> FileFact:
        content = hashlib.sha256()
        buffer = memoryview(bytearray(min(CHUNK, size)))
        left = size
        while left:
            count = file.readinto(buffer[:left])  # type: ignore[attr-defined]  # BinaryIO lacks what both files have
            if not count:
                raise BadFileError(f"{name} became shorter while it was being packed")
            piece = buffer[:count]
            hashing = [self._pool.submit(running.update, piece) for running in (self.sha256, content)]
            self._out.write(piece)
            for task in hashing:
                task.result()
            left -= count
        self.emit(bytes(-size % BLOCK))
        return FileFact(size, content.hexdigest())


@contextmanager
def _open(source: Path | bytes) -> Iterator[tuple[BinaryIO, int]]:
    if isinstance(source, bytes):
        yield io.BytesIO(source), len(source)
        return
    # A compiler's output directory is written by an image we do not control: never follow a link out of it.
    with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0) as file:  # noqa: PTH123
        yield file, os.fstat(file.fileno()).st_size


def _parents(members: Sequence[Member]) -> list[str]:
    found = {str(parent) for member in members for parent in PurePosixPath(member.name).parents}
    return sorted(found - {"."})


def header(name: str, size: int, *, directory: bool = False) -> bytes:
    """The header of one member, preceded by a pax header where ustar's fields are too short (POSIX.1-2001, pax)."""
    name += "/" if directory else ""
    extended = b""
    if len(name) > _NAME_FIELD:
        extended += _pax_record("path", name)
        name = name[:_NAME_FIELD]
    if size > _MAX_USTAR_SIZE:
        extended += _pax_record("size", str(size))
        size = 0
    own = _ustar(name, size, b"5" if directory else b"0", 0o755 if directory else 0o644)
    if not extended:
        return own
    return _ustar("././@PaxHeader", len(extended), b"x", 0o644) + extended + bytes(-len(extended) % BLOCK) + own


def _ustar(name: str, size: int, kind: bytes, mode: int) -> bytes:
    before = name.encode("ascii").ljust(_NAME_FIELD, b"\0") + b"%07o\0" % mode + 2 * b"0000000\0"
    before += b"%011o\0" % size + b"00000000000\0"
    after = kind + bytes(100) + b"ustar\x0000" + bytes(64) + 2 * b"0000000\0"
    total = sum(before) + 8 * ord(" ") + sum(after)
    return (before + b"%06o\0 " % total + after).ljust(BLOCK, b"\0")


def _pax_record(name: str, value: str) -> bytes:
    """``LENGTH NAME=VALUE`` and a newline, where the length counts its own digits."""
    rest = f" {name}={value}\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length += 1
    return f"{length}{rest}".encode("ascii")
