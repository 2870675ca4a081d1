"""Reading large blobs front to back while their digest is being computed."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from aot.artifact.layout import BadBlobError, Descriptor, blob_path, check_present
from aot.artifact.tar import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class BadLayerError(Exception):
    """A layer whose content is not what ``aot.artifact.tar`` writes; the message says what is wrong with it."""


class HashingReader:
    """Reads a file front to back; the digest is computed in another thread, one piece behind."""

    def __init__(self, file: BinaryIO, pool: ThreadPoolExecutor, name: str = "") -> None:
        self._file = file
        self._name = name
        self._pool = pool
        self._pending: Future[None] | None = None
        self._sha256 = hashlib.sha256()

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes, fewer only at the end. Raises ``BadBlobError`` where the disk cannot read them."""
        try:
            data = self._file.read(count)
        except OSError as problem:
            raise BadBlobError(self._name, f"cannot be read: {problem.strerror}") from problem
        self._settle()
        self._pending = self._pool.submit(self._sha256.update, data)
        return data

    def drain(self) -> None:
        """Read to the end for the digest's sake."""
        while self.read(CHUNK):
            pass

    def digest(self) -> str:
        """``sha256:...`` of everything read so far."""
        self._settle()
        return f"sha256:{self._sha256.hexdigest()}"

    def _settle(self) -> None:
        if self._pending is not None:
            self._pending.result()


@contextmanager
def proven(layout: Path, blob: Descriptor) -> Iterator[HashingReader]:
    """Open a blob for reading; on leaving, what the body did not read is read and the digest compared.

    Raises ``BadBlobError`` for a blob that is missing, has another size or was altered. Where the body raises
    ``BadLayerError`` over an altered blob, that cause is reported instead of its consequence.
    """
    check_present(layout, blob)
    with _open(layout, blob) as file, ThreadPoolExecutor(1) as pool:
        reader = HashingReader(file, pool, blob.digest)
        try:
            yield reader
        except BadLayerError:
            _compare(reader, blob)
            raise
        _compare(reader, blob)


def _open(layout: Path, blob: Descriptor) -> BinaryIO:
    try:
        return blob_path(layout, blob.digest).open("rb", buffering=0)
    except OSError as problem:
        raise BadBlobError(blob.digest, f"cannot be read: {problem.strerror}") from problem


def _compare(reader: HashingReader, blob: Descriptor) -> None:
    reader.drain()
    if reader.digest() != blob.digest:
        raise BadBlobError(blob.digest, f"was altered: its content has the digest {reader.digest()}")
