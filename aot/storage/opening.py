"""What a directory must look like to be a store, and how an empty one becomes a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aot.artifact.disk import disk_errors, publish, write_new
from aot.artifact.layout import INDEX_FILE, LAYOUT_FILE, LAYOUT_VERSION, blobs_directory
from aot.errors import AotError, ErrorId
from aot.storage.index import BOOKKEEPING, EMPTY_INDEX, write
from aot.storage.locks import exclusive

if TYPE_CHECKING:
    from pathlib import Path

_HALF_MADE = {BOOKKEEPING, "blobs", INDEX_FILE}
_IGNORED = {"lost+found"}  # what a freshly formatted volume holds


class _LayoutFile(msgspec.Struct, frozen=True, rename={"version": "imageLayoutVersion"}):
    version: str


def check(path: Path) -> bool:
    """Whether ``path`` holds a store; False when it is missing, empty, or was left half made by a killed process.

    Raises ``STORE_NOT_A_STORE`` for anything else, ``STORE_UNWRITABLE`` where it may not be read.
    """
    try:
        if (path / LAYOUT_FILE).is_file():
            _check_version(path)
            return True
        names = {entry.name for entry in path.iterdir()} - _IGNORED
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        raise _not_a_store(path, "it is not a directory") from None
    except OSError as problem:
        raise AotError(
            ErrorId.STORE_UNWRITABLE,
            reason=f"cannot read the store {path}: {problem.strerror}",
            remedy="check owner and permissions, or choose another directory with --store",
        ) from problem
    # The order of ``create``: bookkeeping first, ``oci-layout`` last.
    if not names or (BOOKKEEPING in names and names <= _HALF_MADE):
        return False
    raise _not_a_store(path, f"it holds {', '.join(sorted(names)[:3])} and no {LAYOUT_FILE} file")


def create(path: Path) -> None:
    """Make ``path`` a store unless it is one. Raises as ``check``, ``STORE_UNWRITABLE``, ``DISK_FULL``."""
    made = check(path)
    with disk_errors(path):
        locks = path / BOOKKEEPING / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        (path / BOOKKEEPING / "staging").mkdir(exist_ok=True)
        if made:
            return
        with exclusive(locks / "index.lock"):
            if not check(path):
                _fill(path)


def _fill(path: Path) -> None:
    blobs_directory(path).mkdir(parents=True, exist_ok=True)
    if not (path / INDEX_FILE).exists():
        write(path, EMPTY_INDEX)
    temporary = path / BOOKKEEPING / LAYOUT_FILE
    write_new(temporary, msgspec.json.encode(_LayoutFile(LAYOUT_VERSION)) + b"\n")
    publish(temporary, path / LAYOUT_FILE)


def _check_version(path: Path) -> None:
    try:
        version = msgspec.json.decode((path / LAYOUT_FILE).read_bytes(), type=_LayoutFile).version
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise _not_a_store(path, f"its {LAYOUT_FILE} file cannot be read: {problem}") from problem
    if version != LAYOUT_VERSION:
        raise _not_a_store(path, f"its OCI layout version is {version}, this aot reads {LAYOUT_VERSION}")


def _not_a_store(path: Path, why: str) -> AotError:
    return AotError(
        ErrorId.STORE_NOT_A_STORE,
        reason=f"{path} is not a store: {why}",
        remedy="choose an empty or new directory, or an existing store, with --store or AOT_STORE; nothing was written",
        facts={"path": str(path)},
    )
