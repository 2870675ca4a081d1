"""``aot.lock``: the user's pins, image tag -> digest, one entry per toolchain."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from aot.errors import AotError, ErrorId
from aot.files import write_atomic
from aot.storage.locks import exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IMAGE = re.compile(r"[^\s:@][^\s@]*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HEADER = "# Image digests of the toolchains this project builds with. Written by `aot toolchain lock`; commit it.\n"


class Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tag (of AWS's registry or of your mirror) and the digest it had when it was locked."""

    image: str
    digest: str

    @property
    def reference(self) -> str:
        """``repository@digest``, what a container engine is asked for."""
        return f"{_repository(self.image)}@{self.digest}"


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    schema_version: Literal[1] = 1
    toolchains: dict[str, Pin] = {}


def _repository(image: str) -> str:
    name, _, tag = image.rpartition(":")
    return name if name and "/" not in tag else image


def read(path: Path) -> Lock:
    """The lock at ``path``, empty where there is none. Raises ``LOCK_MALFORMED``."""
    try:
        lock = msgspec.toml.decode(path.read_bytes(), type=Lock)
    except FileNotFoundError:
        return Lock()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise _malformed(path, str(problem)) from problem
    for name, pin in lock.toolchains.items():
        if not _IMAGE.fullmatch(pin.image):
            raise _malformed(path, f"the image of {name} is {pin.image!r}, not of the form repository:tag")
        if not _DIGEST.fullmatch(pin.digest):
            raise _malformed(path, f"the digest of {name} is {pin.digest!r}, not sha256: and 64 hexadecimal digits")
    return lock


def _malformed(path: Path, why: str) -> AotError:
    return AotError(
        ErrorId.LOCK_MALFORMED,
        reason=f"{path} cannot be read as a lock: {why}",
        remedy="repair it, restore it from version control, or delete it and run `aot toolchain lock`",
    )


def add(path: Path, name: str, pin: Pin) -> Lock:
    """Write ``pin`` for toolchain ``name`` into the lock at ``path``, atomically; returns the new lock.

    Of two that add at once the second waits and keeps what the first one wrote. Raises ``LOCK_MALFORMED`` and
    ``LOCK_UNWRITABLE``.
    """
    with _writing(path), exclusive(path.with_name(f".{path.name}.lock")):
        pins = dict(sorted({**read(path).toolchains, name: pin}.items()))
        updated = Lock(toolchains=pins)
        document: dict[str, Any] = msgspec.to_builtins(updated)
        write_atomic(path, _HEADER.encode() + msgspec.toml.encode(document))
    return updated


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise _unwritable(path, problem) from problem
    except AotError as problem:
        # Of taking turns; its advice would be another store.
        if problem.error_id in (ErrorId.STORE_UNWRITABLE, ErrorId.DISK_FULL):
            raise _unwritable(path, problem.__cause__ or problem) from problem
        raise


def _unwritable(path: Path, why: BaseException) -> AotError:
    return AotError(
        ErrorId.LOCK_UNWRITABLE,
        reason=f"the digest cannot be written to {path}: {getattr(why, 'strerror', None) or why}",
        remedy="name a file that you may write with --lock FILE or AOT_LOCK",
    )
