"""The files of one model at one state, and what identifies that state."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from aot import host
from aot.errors import AotError, ErrorId
from aot.model.model_files import kind_of

_COPY_LIMIT = 64 << 20  # larger files (weights) are hard-linked where the file system allows


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Size in bytes and hex sha256; for weights from the Hub the sha256 that the Hub states, if it does."""

    size: int
    sha256: str | None


@dataclass(frozen=True)
class ModelSnapshot:
    """A model as resolved: what a plan and a record say about it.

    ``id`` is the Hub id, or what a local directory's path suggests; ``commit`` is None for a local directory;
    ``path`` is where the pod sees the model; ``downloaded_bytes`` is what this call transferred from the Hub.
    """

    id: str
    commit: str | None
    directory: Path
    path: str
    files: Mapping[str, ModelFile]
    config: dict[str, Any]
    downloaded_bytes: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What pins the content: the commit, or for a directory a digest over its files' names and digests."""
        if self.commit:
            return self.commit
        lines = "".join(f"{name}\0{file.sha256}\n" for name, file in sorted(self.files.items()))
        return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()

    def text(self, name: str) -> bytes | None:
        """The content of one of the snapshot's files; None when the model has none of that name."""
        if name not in self.files:
            return None
        try:
            return (self.directory / name).read_bytes()
        except OSError as error:
            raise unreadable(self.directory / name, error) from error

    def contents(self) -> dict[str, bytes]:
        """Config, tokenizer and template files, for checks that read several."""
        wanted = ("config", "tokenizer", "template")
        return {name: self.text(name) or b"" for name in self.files if kind_of(name) in wanted}

    def materialise(self, destination: Path) -> None:
        """Put the files into a directory as real files.

        A Hub cache holds symlinks into ``../../blobs``, which dangle in a container that sees only the snapshot.
        What arrives is compared with what was hashed: a directory edited meanwhile must not be built under its old
        identity.
        """
        for name, file in self.files.items():
            target = destination / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                _place((self.directory / name).resolve(), target, file)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise disk_full(destination, host.LARGER_DISK) from error
                raise unreadable(self.directory / name, error) from error


def _place(source: Path, target: Path, file: ModelFile) -> None:
    if file.size > _COPY_LIMIT:
        try:
            os.link(source, target)
        except OSError:  # another file system, or hard links forbidden there
            shutil.copyfile(source, target)
        return
    content = source.read_bytes()
    if hashlib.sha256(content).hexdigest() != file.sha256 and file.sha256 is not None:
        raise AotError(
            ErrorId.MODEL_UNREADABLE,
            reason=f"{source} changed while it was being read",
            remedy="Run the command again when nothing writes to the model directory.",
        )
    target.write_bytes(content)


def describe(directory: Path, names: list[str]) -> dict[str, ModelFile]:
    """Sizes and digests of the named files below a directory."""
    files = {}
    for name in names:
        try:
            with (directory / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
                files[name] = ModelFile(os.fstat(file.fileno()).st_size, digest.hexdigest())
        except OSError as error:
            raise unreadable(directory / name, error) from error
    return files


def read_config(path: Path) -> dict[str, Any]:
    """``config.json`` as plain data; int and float spelling survives, which the serve-time hash needs."""
    try:
        config = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise _bad_config(path, f"is not valid JSON: {error}") from error
    if not isinstance(config, dict):
        raise _bad_config(path, f"holds a JSON {type(config).__name__} where an object is needed")
    return config


def _bad_config(path: Path, what: str) -> AotError:
    return AotError(
        ErrorId.MODEL_UNREADABLE,
        reason=f"{path} {what}",
        remedy="Repair the file or download the model again.",
    )


def unreadable(path: Path, error: OSError) -> AotError:
    """The error for a file or directory that the operating system does not let us read."""
    return AotError(
        ErrorId.MODEL_UNREADABLE,
        reason=f"cannot read {path}: {error.strerror or error}",
        remedy="Check that the path exists and that you may read it.",
    )


def disk_full(directory: Path, remedy: str) -> AotError:
    """The error for a full file system; what can be done depends on what is kept there."""
    return AotError(
        ErrorId.DISK_FULL,
        reason=f"no space left on the file system of {directory}",
        remedy=remedy,
    )
