"""Reading layers: only what ``aot.artifact.tar`` writes.

Links, devices, set-id bits, absolute or climbing names are refused, not interpreted, so that a hostile archive can
neither write outside the directory it is unpacked into nor fill the memory.
"""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aot.artifact.blobs import BadLayerError, HashingReader
from aot.artifact.tar import BLOCK, CHUNK, safe_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_PAX = 1 << 16
_PAX_RECORD = re.compile(rb"(\d{1,5}) ([^=\n]{1,100})=([^\n]*)\n")


@dataclass(frozen=True)
class Entry:
    """A file in the archive. ``pieces`` yields its content once; what is left unread is skipped."""

    name: str
    size: int
    pieces: Iterator[bytes]


def entries(reader: HashingReader) -> Iterator[Entry]:
    """The files of an archive in order; reads to the end, so that the reader's digest is then that of the whole."""
    while True:
        kind, name, size = _next_header(reader)
        if kind is None:
            break
        if kind == tarfile.DIRTYPE:
            continue
        pieces = _content(reader, size)
        yield Entry(name, size, pieces)
        for _ in pieces:
            pass
    while tail := reader.read(CHUNK):
        if tail.strip(b"\0"):
            raise BadLayerError("there is something after the end of the archive")


def _content(reader: HashingReader, size: int) -> Iterator[bytes]:
    left = size
    while left:
        piece = reader.read(min(CHUNK, left))
        if not piece:
            raise BadLayerError("it ends in the middle of a file")
        left -= len(piece)
        yield piece
    _exactly(reader, -size % BLOCK)


def _exactly(reader: HashingReader, count: int) -> bytes:
    data = reader.read(count) if count else b""
    if len(data) != count:
        raise BadLayerError("it ends in the middle of a member")
    return data


def _next_header(reader: HashingReader) -> tuple[bytes | None, str, int]:
    """Type, name and size of the next member; the type is None at the end."""
    extended: dict[str, str] = {}
    block = _exactly(reader, BLOCK)
    if block.strip(b"\0") and _parse(block).type == tarfile.XHDTYPE:
        extended = _pax(reader, _parse(block).size)
        block = _exactly(reader, BLOCK)
    if not block.strip(b"\0"):
        return None, "", 0
    facts = _parse(block)
    name = extended.get("path", facts.name).rstrip("/")
    size = int(extended.get("size", facts.size))
    _refuse_odd(facts, name, size)
    return facts.type, name, size


def _parse(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as problem:
        raise BadLayerError(f"a member's header cannot be read: {problem}") from problem


def _refuse_odd(facts: tarfile.TarInfo, name: str, size: int) -> None:
    if facts.type not in (tarfile.REGTYPE, tarfile.DIRTYPE):
        raise BadLayerError(f"{name!r} is neither a file nor a directory (tar type {facts.type!r})")
    if not safe_name(name):
        raise BadLayerError(f"{name!r} is not a plain relative path")
    if facts.mode & ~0o755:
        raise BadLayerError(f"{name!r} has mode {facts.mode:04o}")
    if size < 0 or (facts.type == tarfile.DIRTYPE and size):
        raise BadLayerError(f"{name!r} has the impossible size {size}")


def _pax(reader: HashingReader, size: int) -> dict[str, str]:
    """Path and size of the next member, where they do not fit into its header (pax, POSIX.1-2001)."""
    if not 0 < size <= _MAX_PAX:
        raise BadLayerError(f"a pax header of {size} bytes")
    text = _exactly(reader, size + -size % BLOCK)[:size]
    found: dict[str, str] = {}
    while text:
        match = _PAX_RECORD.match(text)
        if match is None or int(match[1]) != match.end() or match[2] not in (b"path", b"size"):
            raise BadLayerError("a pax header with something other than path and size")
        found[match[2].decode()] = match[3].decode("utf-8", "replace")
        text = text[match.end() :]
    if not re.fullmatch(r"\d{1,15}", found.get("size", "0")):
        raise BadLayerError("a pax header with an impossible size")
    return found
