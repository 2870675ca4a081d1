"""Integrity of what lies in a store: every blob against its digest, every file against the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aot.artifact import layout
from aot.artifact.layout import BadBlobError, Descriptor
from aot.check.audit import Audit, Finding, Verification

if TYPE_CHECKING:
    from aot.storage.local import LocalStore

_UNUSED = "harmless: a build that was killed may leave one; the next build of it takes its place"


def verify(store: LocalStore, name: str | None) -> Verification:
    """Read one artifact in full. Raises ``ARTIFACT_NOT_FOUND`` when there is none; damage is a finding."""
    entry, tags = store.entry(name)
    audit = Audit(store.path)
    audit.image(entry, tags, must_be_ours=True)
    return audit.result()


def verify_store(store: LocalStore) -> Verification:
    """Read every artifact and report of a store in full, and name the blobs that belong to none."""
    audit = Audit(store.path)
    known: set[str] = set()
    for entry, tags in store.images():
        audit.image(entry, tags, must_be_ours=False)
        known |= _blobs_of(store, entry)
    directory = layout.blobs_directory(store.path)
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if (digest := f"sha256:{path.name}") not in known:
            reason = f"blob {digest} belongs to no artifact"
            audit.findings.append(Finding("blob-unused", "warning", reason, _UNUSED, digest))
    return audit.result()


def _blobs_of(store: LocalStore, entry: Descriptor) -> set[str]:
    try:
        manifest = layout.read_manifest(store.path, entry)
    except BadBlobError:
        return {entry.digest}
    return {entry.digest, manifest.config.digest, *(layer.digest for layer in manifest.layers)}
