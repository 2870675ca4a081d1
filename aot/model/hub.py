"""Have the needed files of a Hub repository in the user's own cache, asking the Hub only for what is not there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from aot.errors import AotError, ErrorId
from aot.model import hub_client, hub_errors
from aot.model.hub_cache import HubCache, ListedFile, Listing
from aot.model.hub_settings import HubSettings
from aot.model.model_files import kind_of, select, without_config
from aot.model.snapshot import ModelFile, describe
from aot.progress import Progress


@dataclass(frozen=True)
class Fetched:
    """Files of one commit, in the cache."""

    commit: str
    directory: Path
    files: dict[str, ModelFile]
    downloaded_bytes: int = 0
    warnings: list[str] = field(default_factory=list)


def fetch_from_hub(
    repo_id: str,
    revision: str | None,
    hub: HubSettings,
    progress: Progress,
    *,
    trust_remote_code: bool,
    with_weights: bool,
) -> Fetched:
    """Resolve the revision to a commit and have its files here; no request when the cache holds all of them.

    A branch or tag is asked for anew each time, except offline: it may have moved.
    """
    cache = HubCache(hub, repo_id)
    known = cache.commit_of(revision or "main")
    pinned = known if hub.offline or known == revision else None
    listing = cache.listing(pinned) if pinned else None
    if listing is None and hub.offline:
        return _offline(repo_id, revision, known, hub, trust_remote_code=trust_remote_code, with_weights=with_weights)
    if listing is None:
        listing = hub_client.patiently(lambda: hub_client.ask(repo_id, revision, hub), hub, progress)
        cache.remember(listing)
        cache.remember_ref(revision or "main", listing.commit)
    _require_config(repo_id, listing)
    names = select(listing.files, trust_remote_code=trust_remote_code, with_weights=with_weights)
    downloaded = 0
    if not cache.holds(listing, names):
        if hub.offline:
            raise hub_errors.offline(repo_id, revision, hub)
        progress.info(f"Fetching {len(names)} files of {repo_id} at {listing.commit[:12]} from {hub.shown_endpoint}")
        before = cache.stored_bytes()
        commit = listing.commit
        with hub_client.watched(cache, before, progress):
            hub_client.patiently(lambda: hub_client.download(repo_id, commit, names, hub), hub, progress)
        downloaded = max(0, cache.stored_bytes() - before)
    directory = cache.snapshot(listing.commit)
    return Fetched(listing.commit, directory, _describe(directory, names, listing), downloaded)


def _describe(directory: Path, names: list[str], listing: Listing) -> dict[str, ModelFile]:
    """Digests of the files, compared with what the Hub lists for the commit; weights are taken at the Hub's word."""
    files = describe(directory, [name for name in names if kind_of(name) != "weights"])
    for name in names:
        listed = listing.files[name]
        if name not in files:
            files[name] = ModelFile((directory / name).stat().st_size, listed.sha256)
        elif listed.sha256 not in (None, files[name].sha256) or not _is_blob(directory / name, listed):
            raise AotError(
                ErrorId.MODEL_UNREADABLE,
                reason=f"{name} in the cache is not the file of commit {listing.commit[:12]}: {directory / name}",
                remedy="Remove the model from the cache (hf cache rm) and run the command again.",
            )
    return files


def _is_blob(path: Path, listed: ListedFile) -> bool:
    """Whether the content has the blob id that git gives it; in LFS that id belongs to the pointer and says nothing."""
    if listed.blob_id is None or listed.sha256 is not None:
        return True
    content = path.read_bytes()
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest() == listed.blob_id


def _require_config(repo_id: str, listing: Listing) -> None:
    if "config.json" in listing.files:
        return
    why, remedy = without_config(listing.files)
    reason = f"{repo_id} has no config.json at commit {listing.commit[:12]}{why}"
    raise AotError(ErrorId.MODEL_NO_CONFIG, reason=reason, remedy=remedy)


def _offline(
    repo_id: str,
    revision: str | None,
    commit: str | None,
    hub: HubSettings,
    *,
    trust_remote_code: bool,
    with_weights: bool,
) -> Fetched:
    """A snapshot that another tool put into the cache, so that its list of files is not known to aot.

    What is there is used, if config.json is, and said to be possibly less than the repository holds.
    """
    directory = HubCache(hub, repo_id).snapshot(commit) if commit else None
    if commit is None or directory is None or not (directory / "config.json").is_file():
        raise hub_errors.offline(repo_id, revision, hub)
    present = [path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()]
    names = select(present, trust_remote_code=trust_remote_code, with_weights=with_weights)
    warning = (
        f"offline: {repo_id} at {commit[:12]} was put into the cache by another tool; files that it left out, such as "
        "generation_config.json, are taken as absent"
    )
    return Fetched(commit, directory, describe(directory, names), 0, [warning])
