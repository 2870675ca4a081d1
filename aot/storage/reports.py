"""Build reports: what happened during one build, attached to the artifact from outside its digest.

A report is an OCI manifest whose ``subject`` is the artifact (a referrer, image specification v1.1), so it travels with
the artifact through registries and changes nothing about it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from aot.artifact import layout
from aot.artifact.disk import write_new
from aot.artifact.image import VENDOR
from aot.artifact.layout import BadBlobError, Descriptor, Manifest
from aot.storage.stored import damaged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

REPORT_TYPE = f"application/{VENDOR}.report.v1+json"
_MAX_REPORT = 64 << 20


def build(subject: Descriptor, report: Mapping[str, Any], staging: Path) -> tuple[Descriptor, dict[str, Path]]:
    """Write the blobs of a report on ``subject`` to ``staging``; returns the index entry and digest -> file."""
    blobs: dict[str, Path] = {}

    def blob(content: bytes, media_type: str) -> Descriptor:
        digest = layout.digest_of(content)
        blobs[digest] = staging / digest.removeprefix("sha256:")
        write_new(blobs[digest], content)
        return Descriptor(media_type=media_type, digest=digest, size=len(content))

    text = json.dumps(report, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    manifest = Manifest(
        schema_version=2,
        media_type=layout.MANIFEST_TYPE,
        artifact_type=REPORT_TYPE,
        config=blob(layout.EMPTY, layout.EMPTY_TYPE),
        layers=[blob(text.encode(), REPORT_TYPE)],
        subject=Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size),
    )
    entry = blob(layout.canonical(manifest), layout.MANIFEST_TYPE)
    return msgspec.structs.replace(entry, artifact_type=REPORT_TYPE), blobs


def attached(store: Path, entries: Sequence[Descriptor], digest: str) -> tuple[dict[str, Any], ...]:
    """The reports on ``digest``. Raises ``ARTIFACT_DAMAGED`` for one that cannot be read."""
    found = []
    for entry in entries:
        if entry.artifact_type != REPORT_TYPE:
            continue
        try:
            manifest = layout.read_manifest(store, entry)
            if manifest.subject is not None and manifest.subject.digest == digest:
                content = layout.read_blob(store, manifest.layers[0], _MAX_REPORT)
                found.append(msgspec.json.decode(content, type=dict[str, Any]))
        except BadBlobError as problem:
            raise damaged(store, digest, f"a build report's {problem}", problem.digest) from problem
    return tuple(found)
