"""An artifact's files in a directory: all of them and proven, or nothing."""

from __future__ import annotations

import os
import secrets
import shutil
from typing import TYPE_CHECKING

import msgspec

from aot.artifact.blobs import BadLayerError, HashingReader, proven
from aot.artifact.disk import disk_errors, fsync_directory, require_free, write_new
from aot.artifact.layout import BadBlobError
from aot.artifact.record import RECORD_NAME
from aot.artifact.untar import Entry, entries
from aot.errors import AotError, ErrorId
from aot.storage.stored import Stored, damaged

if TYPE_CHECKING:
    from pathlib import Path

MARKER_NAME = ".aot-artifact.json"


class Marker(msgspec.Struct, frozen=True):
    """What an extracted directory holds; written last, so its presence means that everything is there."""

    digest: str
    key: str
    schema_version: int = 1


def extract(stored: Stored, directory: Path) -> None:
    """Write ``record.json`` and ``compiled/`` to ``directory``, which must be absent, empty, or hold this artifact.

    Everything is written and verified beside it and then renamed. A file that the record does not list is refused.
    Raises ``DESTINATION_IN_USE``, ``ARTIFACT_DAMAGED``, ``DISK_FULL``, ``STORE_UNWRITABLE``.
    """
    directory = directory.absolute()
    if _holds(directory, stored):
        return
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise AotError(
            ErrorId.DESTINATION_IN_USE,
            reason=f"{directory} is not empty and does not hold this artifact; nothing was written",
            remedy="name another directory, or remove this one first",
        )
    with disk_errors(directory.parent, stored.size):
        directory.parent.mkdir(parents=True, exist_ok=True)
        require_free(directory.parent, stored.size)
        partial = directory.parent / f".{directory.name}.{secrets.token_hex(4)}.partial"
        partial.mkdir()
        try:
            _fill(stored, partial)
            partial.rename(directory)
            fsync_directory(directory.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _holds(directory: Path, stored: Stored) -> bool:
    """Whether ``directory`` was extracted from this very artifact and every file still has its size."""
    try:
        marker = msgspec.json.decode((directory / MARKER_NAME).read_bytes(), type=Marker)
        sizes = {name: (directory / name).stat().st_size for name in stored.record.files}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return False
    return marker.digest == stored.digest and sizes == {name: fact.size for name, fact in stored.record.files.items()}


def _fill(stored: Stored, target: Path) -> None:
    missing: dict[str, int | None] = {name: fact.size for name, fact in stored.record.files.items()}
    missing[RECORD_NAME] = None  # cannot state its own size
    for blob in stored.manifest.layers:
        try:
            with proven(stored.store, blob) as reader:
                _unpack(reader, missing, target)
        except (BadLayerError, BadBlobError) as problem:
            why = str(problem) if isinstance(problem, BadBlobError) else f"layer {blob.digest} is not ours: {problem}"
            raise damaged(stored.store, stored.digest, why, blob.digest) from problem
    if missing:
        raise damaged(stored.store, stored.digest, f"no layer holds {min(missing)}", stored.digest)
    marker = Marker(digest=stored.digest, key=stored.key)
    write_new(target / MARKER_NAME, msgspec.json.encode(marker) + b"\n")


def _unpack(reader: HashingReader, missing: dict[str, int | None], target: Path) -> None:
    """Write the files of a layer and take them off ``missing`` (name -> size or None), so that none can come twice."""
    for entry in entries(reader):
        if missing.pop(entry.name, -1) not in (entry.size, None):
            raise BadLayerError(f"it holds {entry.name} with {entry.size} bytes, which the record does not list")
        _write(entry, target)


def _write(entry: Entry, target: Path) -> None:
    path = target / entry.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb", buffering=0) as file:
        for piece in entry.pieces:
            file.write(piece)
        os.fsync(file.fileno())
