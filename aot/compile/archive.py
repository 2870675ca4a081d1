"""Moving directories through the engine's archive API, as tar streams that are never held whole.

For engines that do not share our file system. What comes back was written inside a container, so nothing in it is
trusted: no member may lead outside the target directory, and only plain files and directories are accepted.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from aot import host, units
from aot.compile.engine import writing
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNK = 1 << 20
MAX_MEMBERS = 100_000
"""An artifact has a handful of files; a million empty ones would be an attack on our inodes."""

DISK_RESERVE = 64 << 20
"""Bytes left free when unpacking: a disk filled to the last byte breaks more than this build."""


def tree(source: Path, target: str, *, uid: int, gid: int, read_only: bool) -> Iterator[bytes]:
    """Tar blocks for ``source`` and all below it, to appear at the absolute path ``target``.

    Links to files are followed. What is neither file nor directory (a lock's socket, a link to nothing) is left out.
    """
    for path in (source, *sorted(source.rglob("*"))):
        name = target.lstrip("/") if path == source else f"{target.lstrip('/')}/{path.relative_to(source).as_posix()}"
        info = tarfile.TarInfo(name)
        info.uid, info.gid = uid, gid
        if path.is_dir():
            info.type, info.mode = tarfile.DIRTYPE, 0o555 if read_only else 0o755
            yield info.tobuf(tarfile.PAX_FORMAT)
        elif path.is_file():
            status = path.stat()
            info.size, info.mode = status.st_size, (0o444 if read_only else 0o644) | (status.st_mode & 0o111)
            yield info.tobuf(tarfile.PAX_FORMAT)
            yield from _content(path, info.size)


def end() -> bytes:
    """What closes a tar stream."""
    return bytes(2 * tarfile.BLOCKSIZE)


def _content(path: Path, size: int) -> Iterator[bytes]:
    """Exactly ``size`` bytes and the padding to a block: the header has promised them."""
    left = size
    with path.open("rb") as file:
        while left:
            data = file.read(min(CHUNK, left))
            if not data:
                raise AotError(
                    ErrorId.MODEL_UNREADABLE,
                    reason=f"{path} became shorter while it was sent to the Docker engine",
                    remedy="do not change the model directory during a build",
                )
            left -= len(data)
            yield data
    yield bytes(-size % tarfile.BLOCKSIZE)


class ChunkReader(io.RawIOBase):
    """A readable file over an iterator of byte strings."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed: any buffer
        """Fill part of ``buffer``; 0 at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def extract(chunks: Iterable[bytes], target: Path, *, skip_links: bool = False) -> None:
    """Unpack a tar stream of one directory into ``target``, which takes the place of that directory.

    Links and devices are refused, or left out with ``skip_links`` (of the compiler's cache we know little). The API
    puts the directory's own name in front of every member (docs.docker.com/reference/api/engine, ContainerArchive); it
    is cut off. Files belong to the caller whatever the stream says.
    """
    stream = io.BufferedReader(ChunkReader(chunks), CHUNK)
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for number, member in enumerate(tar):
                if number >= MAX_MEMBERS:
                    raise _refused(f"more than {MAX_MEMBERS} files")
                if skip_links and not (member.isdir() or member.isreg()):
                    continue
                _extract_member(tar, member, target)
    except tarfile.TarError as error:
        raise AotError(
            ErrorId.ENGINE_FAILED,
            reason=f"the output could not be read back from the Docker engine: {error}",
            remedy="check the connection to the engine and build again",
        ) from error


def _extract_member(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    parts = PurePosixPath(member.name).parts
    if member.name.startswith("/") or ".." in parts or "\0" in member.name:
        raise _refused(f"the path {member.name!r}")
    path = target.joinpath(*parts[1:])
    if member.isdir():
        _real_directory(path, target)
    elif member.isreg() and not member.issparse():
        _real_directory(path.parent, target)
        content = tar.extractfile(member)
        if content is not None:
            _write(content, path, member)
    else:
        raise _refused(f"{member.name!r}, which is neither a plain file nor a directory")


def _real_directory(path: Path, target: Path) -> None:
    """Create ``path``; refuse one that a link on the way would lead elsewhere."""
    with writing(target):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as problem:
            raise _refused(f"{path.name!r} both as a file and as a directory") from problem
    if not path.resolve().is_relative_to(target.resolve()):
        raise _refused(f"{path.name!r}, behind a symbolic link")


def _write(content: IO[bytes], path: Path, member: tarfile.TarInfo) -> None:
    free = shutil.disk_usage(path.parent).free - DISK_RESERVE
    if member.size > free:
        raise AotError(
            ErrorId.DISK_FULL,
            reason=f"{path} needs {units.size(member.size)}, {units.size(max(free, 0))} are free",
            remedy=f"{host.LARGER_DISK}; the compile cache keeps what was compiled",
        )
    mode = 0o644 | (member.mode & 0o111)
    with writing(path.parent):
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb") as file:
            shutil.copyfileobj(content, file, CHUNK)


def _refused(what: str) -> AotError:
    return AotError(
        ErrorId.RUNNER_FAILED,
        reason=f"the container's output holds {what}, which no build produces",
        remedy="check that the image is the one you mean; nothing outside the output directory was written",
    )
