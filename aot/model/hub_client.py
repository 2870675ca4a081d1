"""The requests made to a Hub, all through huggingface_hub.

It is imported inside functions: the import alone takes about 0.3 s, more than half of what a reused build may take,
and a commit whose files are in the cache needs none of it.
"""

from __future__ import annotations

import glob
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from aot.errors import AotError
from aot.model import hub_errors
from aot.model.hub_cache import HubCache, ListedFile, Listing
from aot.model.hub_settings import COMMIT, HubSettings
from aot.progress import Progress

T = TypeVar("T")


def ask(repo_id: str, revision: str | None, hub: HubSettings) -> Listing:
    """Commit and file list of a revision: one request."""
    with hub_errors.translated(repo_id, revision, hub):
        from huggingface_hub import HfApi

        api = HfApi(endpoint=hub.endpoint, library_name="neuron-aot")
        info = api.model_info(repo_id, revision=revision or None, files_metadata=True, timeout=hub.timeout)
    if info.sha is None or not COMMIT.fullmatch(info.sha) or info.siblings is None:
        raise hub_errors.not_a_hub(hub, "it gave no commit or no list of files")
    if revision and COMMIT.fullmatch(revision) and info.sha != revision:
        raise hub_errors.not_a_hub(hub, f"asked for commit {revision}, it gave {info.sha}")
    return Listing(
        info.sha,
        {
            file.rfilename: ListedFile(file.size, file.blob_id, file.lfs.sha256 if file.lfs else None)
            for file in info.siblings
        },
    )


def download(repo_id: str, commit: str, names: list[str], hub: HubSettings) -> None:
    """Bring the named files of a commit into the cache; the client resumes, checks sizes and locks."""
    with hub_errors.translated(repo_id, commit, hub):
        from huggingface_hub import snapshot_download
        from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

        silent_before = are_progress_bars_disabled()
        disable_progress_bars()  # one voice on stderr: ours
        try:
            snapshot_download(
                repo_id,
                revision=commit,
                allow_patterns=[glob.escape(name) for name in names],
                cache_dir=hub.cache_dir,
                endpoint=hub.endpoint,
                etag_timeout=hub.timeout,
                max_workers=4,
                library_name="neuron-aot",
            )
        finally:
            if not silent_before:
                enable_progress_bars()


def patiently(ask: Callable[[], T], hub: HubSettings, progress: Progress) -> T:
    """Repeat what failed because the Hub was busy, a bounded number of times; no other failure is repeated."""
    for delay in hub.retry_delays:
        try:
            return ask()
        except AotError as error:
            if not hub_errors.is_momentary(error):
                raise
            progress.info(f"{error.reason}; asking again in {delay:.0f} s")
            time.sleep(delay)
    return ask()


@contextmanager
def watched(cache: HubCache, before: int, progress: Progress) -> Iterator[None]:
    """Say every second how much has arrived: weights take minutes."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1.0):
            progress.heartbeat(f"{(cache.stored_bytes() - before) / 1e6:.1f} MB received")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
