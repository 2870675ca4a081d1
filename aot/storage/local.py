"""The local store: an OCI image layout that survives a kill at any point.

    STORE/oci-layout, index.json, blobs/sha256/...   what every OCI tool reads
    STORE/.aot/locks, .aot/staging                   ours alone

Blobs are written to staging, fsynced and renamed; then ``index.json`` is replaced, tags and all. A process that dies in
between leaves blobs that nothing points to and a staging directory that the next command sweeps.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aot.artifact import layout
from aot.artifact.disk import disk_errors, publish
from aot.artifact.layout import BadBlobError, Descriptor
from aot.artifact.record import tag_for_key
from aot.errors import AotError, ErrorId
from aot.storage import index, locks, opening, reports
from aot.storage.extract import extract
from aot.storage.lookup import lookup
from aot.storage.stored import Row, Stored, load, row

if TYPE_CHECKING:
    from aot.artifact.image import PackedImage


def default_path(environment: Mapping[str, str] = os.environ) -> Path:
    """``$AOT_STORE``, else ``$XDG_DATA_HOME/aot/store``, else ``~/.local/share/aot/store``."""
    if chosen := environment.get("AOT_STORE"):
        return Path(chosen).expanduser()
    data = environment.get("XDG_DATA_HOME")
    base = Path(data) if data and Path(data).is_absolute() else Path("~/.local/share").expanduser()
    return base / "aot" / "store"


class LocalStore:
    """A store at ``path``; call ``open`` to read and ``open_or_create`` before writing."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.swept: list[Path] = []
        """Staging directories of killed processes that ``open_or_create`` removed."""

    def open(self) -> LocalStore:
        """Check that this is a store, without writing; a missing or empty directory counts as an empty store."""
        opening.check(self.path)
        return self

    def open_or_create(self) -> LocalStore:
        """Open for writing: create what is missing, sweep what killed processes left.

        Raises ``STORE_NOT_A_STORE`` for a directory with other content, which is left alone, ``STORE_UNWRITABLE``.
        """
        opening.create(self.path)
        self.swept = self.sweep()
        return self

    def sweep(self) -> list[Path]:
        """Remove staging directories whose process is gone; returns them."""
        return locks.sweep(self._staging)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A private directory on the store's file system, removed at the end or by the next command."""
        with locks.staging(self._staging) as directory:
            yield directory

    def cache(self, key: str) -> Path:
        """The compile cache of ``key``, created; it survives attempts and killed builds. Use it under ``lock(key)``."""
        directory = self._bookkeeping / "cache" / key
        with disk_errors(self.path):
            directory.mkdir(parents=True, exist_ok=True)
        return directory

    def drop_cache(self, key: str) -> None:
        """Forget the compile cache of ``key``: what it was for is in the store."""
        shutil.rmtree(self._bookkeeping / "cache" / key, ignore_errors=True)

    @contextmanager
    def lock(self, key: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
        """Hold the lock of ``key``: two builds of one key at once compile once.

        While another process holds it ``waiting`` is told so about once a second; look with ``find`` once inside.
        """

        def tell(pid: int | None) -> None:
            if waiting is not None:
                waiting(f"another build of this key is running (pid {pid or 'unknown'}); waiting for it")

        with locks.exclusive(self._bookkeeping / "locks" / f"{tag_for_key(key)}.lock", tell):
            yield

    def put(self, packed: PackedImage, tags: Sequence[str] = ()) -> Stored:
        """Move a packed image into the store under the tag of its key and ``tags``.

        Blobs first, index and tags last. An existing blob is replaced by the one just proven, so putting an artifact
        again repairs it. Raises ``DISK_FULL``, ``STORE_UNWRITABLE``.
        """
        with disk_errors(self.path, packed.size):
            for digest, source in packed.blobs.items():
                self._adopt(digest, source)
        names = [tag_for_key(packed.record.key), *tags]
        index.update(self.path, lambda entries: index.with_tags(entries, packed.descriptor, names))
        entries = index.read(self.path).manifests
        return Stored(
            self.path, packed.descriptor, packed.manifest, packed.record, index.tags_of(entries, packed.digest)
        )

    def _adopt(self, digest: str, source: Path) -> None:
        target = layout.blob_path(self.path, digest)
        if source.exists() or not target.exists():
            publish(source, target)

    def find(self, key: str, on_damage: Callable[[str], None] | None = None) -> Stored | None:
        """The artifact built for ``key``, None where there is none; reads index, manifest and record only.

        An artifact with a missing or cut blob is never returned: it raises ``ARTIFACT_DAMAGED``, or, where there is an
        ``on_damage``, tells it why and counts as absent.
        """
        entries = self._entries()
        wanted = tag_for_key(key)
        entry = next((entry for entry in entries if entry.tag == wanted), None)
        if entry is None:
            return None
        try:
            found = load(self.path, entry, index.tags_of(entries, entry.digest))
        except AotError as problem:
            if on_damage is None or problem.error_id is not ErrorId.ARTIFACT_DAMAGED:
                raise
            on_damage(problem.reason)
            return None
        return found if found.key == key else None

    def resolve(self, name: str | None) -> Stored:
        """The artifact that a tag, digest, digest prefix (12 digits or more) or key names; None names the only one.

        Raises ``ARTIFACT_NOT_FOUND`` (with similar names), ``ARTIFACT_DAMAGED``.
        """
        return load(self.path, *self.entry(name))

    def entry(self, name: str | None) -> tuple[Descriptor, tuple[str, ...]]:
        """Index entry and tags of what ``name`` means, as in ``resolve``, without looking at any blob."""
        entries = self._entries()
        found = lookup(self.path, entries, name)
        return found, index.tags_of(entries, found.digest)

    def images(self) -> tuple[tuple[Descriptor, tuple[str, ...]], ...]:
        """Every image manifest once, artifacts and reports alike, with its tags."""
        entries = self._entries()
        unique = {entry.digest: entry for entry in entries if entry.media_type == layout.MANIFEST_TYPE}
        return tuple((entry, index.tags_of(entries, digest)) for digest, entry in unique.items())

    def list(self) -> tuple[Row, ...]:
        """All artifacts, newest first; damaged ones are listed with the reason."""
        rows = [row(self.path, entry, tags, self._stored_at(entry.digest)) for entry, tags in self.images()]
        ours = [each for each in rows if each is not None]
        return tuple(sorted(ours, key=lambda each: (each.stored, each.digest), reverse=True))

    def attach_report(self, digest: str, report: Mapping[str, Any]) -> str:
        """Attach a build report to an artifact, outside its digest; returns the digest of the report's manifest."""
        entries = self._entries()
        subject = lookup(self.path, entries, digest)
        with self.staging() as directory, disk_errors(self.path):
            manifest, blobs = reports.build(subject, report, directory)
            for each, source in blobs.items():
                self._adopt(each, source)
        index.update(self.path, lambda before: index.with_tags(before, manifest, []))
        return manifest.digest

    def reports(self, digest: str) -> tuple[dict[str, Any], ...]:
        """The reports attached to an artifact, in the order they were attached. Raises ``ARTIFACT_DAMAGED``."""
        return reports.attached(self.path, self._entries(), digest)

    def extract(self, name: str | None, directory: Path) -> Stored:
        """Write an artifact's files to ``directory``: all of them, verified while writing, or nothing."""
        found = self.resolve(name)
        extract(found, directory)
        return found

    @property
    def _bookkeeping(self) -> Path:
        return self.path / index.BOOKKEEPING

    @property
    def _staging(self) -> Path:
        return self._bookkeeping / "staging"

    def _entries(self) -> Sequence[Descriptor]:
        return index.read(self.path).manifests if opening.check(self.path) else ()

    def _stored_at(self, digest: str) -> str:
        """When the manifest was stored: no clock enters an artifact, so the file's own time has to do."""
        try:
            when = layout.blob_path(self.path, digest).stat().st_mtime
        except (OSError, BadBlobError):
            return ""
        return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
