"""What of a repository is already in the user's Hugging Face cache, told without importing huggingface_hub.

The cache's layout (``models--org--name/{refs,snapshots/<commit>,blobs}``) is documented and shared by all of
Hugging Face's tools. What it does not say in every release is whether a snapshot is complete: a file may be missing
because it was never asked for. So aot keeps the list of a commit's files, with sizes, in a cache of its own. A commit
never changes, hence neither does its list; a snapshot is complete for a request when every wanted file of the list is
there with its size.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from urllib.parse import quote

import msgspec

from aot.files import write_atomic
from aot.model.hub_settings import COMMIT, HubSettings


class ListedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the Hub says of a file: bytes, and git's blob id or, for a file kept in LFS, its sha256.

    A mirror may leave any of them out; what is unknown is not checked.
    """

    size: int | None = None
    blob_id: str | None = None
    sha256: str | None = None


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The files of one commit, by path inside the repository."""

    commit: str
    files: dict[str, ListedFile]
    schema_version: int = 1


class HubCache:
    """The part of the cache that belongs to one repository."""

    def __init__(self, settings: HubSettings, repo_id: str) -> None:
        folder = "--".join(["models", *repo_id.split("/")])
        self._root = settings.cache_dir / folder
        self._listings = settings.listing_dir / folder

    def snapshot(self, commit: str) -> Path:
        """Where the files of a commit are, if any."""
        return self._root / "snapshots" / commit

    def commit_of(self, revision: str) -> str | None:
        """The commit that a branch or tag last resolved to, here or for another tool; a commit stands for itself."""
        if COMMIT.fullmatch(revision):
            return revision
        found = [_read_ref(path) for path in (self._own_ref(revision), self._root / "refs" / revision)]
        return max((entry for entry in found if entry), default=(0.0, None))[1]

    def remember_ref(self, revision: str, commit: str) -> None:
        """Keep what a branch or tag resolved to, for later runs without a network. Best effort.

        The client writes this itself only when it is asked for a branch; aot asks it for the commit, so that what was
        listed and what is downloaded cannot differ.
        """
        if not COMMIT.fullmatch(revision):
            _write(self._own_ref(revision), commit.encode("ascii"))

    def _own_ref(self, revision: str) -> Path:
        return self._listings / "refs" / quote(revision, safe="")

    def listing(self, commit: str) -> Listing | None:
        """The remembered file list of a commit; None when there is none, or one that cannot be read."""
        try:
            found = msgspec.json.decode((self._listings / f"{commit}.json").read_bytes(), type=Listing)
        except (OSError, msgspec.MsgspecError):
            return None
        return found if found.commit == commit and found.schema_version == 1 else None

    def remember(self, listing: Listing) -> None:
        """Keep a file list. Best effort: without it the next run asks the Hub again."""
        _write(self._listings / f"{listing.commit}.json", msgspec.json.encode(listing))

    def holds(self, listing: Listing, names: list[str]) -> bool:
        """Whether every one of these files is in the snapshot with its full size."""
        folder = self.snapshot(listing.commit)
        for name in names:
            found, listed = _size(folder / name), listing.files[name].size
            if found is None or (listed is not None and found != listed):
                return False
        return True

    def stored_bytes(self) -> int:
        """Bytes of content in the cache, partial downloads included: measured before and after a download."""
        total = 0
        with contextlib.suppress(OSError):
            for entry in os.scandir(self._root / "blobs"):
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_size
        return total


def _read_ref(path: Path) -> tuple[float, str] | None:
    try:
        commit = path.read_text(encoding="ascii").strip()
        return (path.stat().st_mtime, commit) if COMMIT.fullmatch(commit) else None
    except (OSError, ValueError):
        return None


def _write(path: Path, content: bytes) -> None:
    with contextlib.suppress(OSError):
        write_atomic(path, content)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
