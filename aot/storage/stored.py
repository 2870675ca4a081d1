"""An artifact as it lies in a store: manifest and record read and proven, large blobs checked by size only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from aot.artifact import layout, record
from aot.artifact.blobs import BadLayerError, proven
from aot.artifact.image import ARTIFACT_TYPE, VENDOR
from aot.artifact.layout import BadBlobError, Descriptor, Manifest
from aot.artifact.record import RECORD_NAME, Record, tag_for_key
from aot.artifact.untar import entries
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from pathlib import Path

_MAX_RECORD_LAYER = 64 << 20


@dataclass(frozen=True)
class Stored:
    """One artifact of the store at ``store``."""

    store: Path
    descriptor: Descriptor
    manifest: Manifest
    record: Record
    tags: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Digest of the manifest: what was built."""
        return self.descriptor.digest

    @property
    def key(self) -> str:
        """What was asked for."""
        return self.record.key

    @property
    def blobs(self) -> list[Descriptor]:
        """Everything the artifact consists of, manifest first."""
        return [self.descriptor, self.manifest.config, *self.manifest.layers]

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.size for blob in self.blobs)

    @property
    def reference(self) -> str:
        """A name that aot reads, and skopeo too unless it cannot name the artifact at all."""
        own = tag_for_key(self.key)
        if not self.tags or ":" in str(self.store):  # skopeo ends the path at the first colon
            return f"{self.store}@{self.digest}"
        return f"oci:{self.store}:{own if own in self.tags else self.tags[0]}"


class Row(msgspec.Struct, frozen=True):
    """One line of ``aot list``, read from a manifest alone; ``damaged`` says why the rest is missing."""

    digest: str
    tags: list[str]
    stored: str
    key: str | None = None
    model: str | None = None
    revision: str | None = None
    target: str | None = None
    toolchain: str | None = None
    tensor_parallel_size: int | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    fingerprint: str | None = None
    simulated: bool | None = None
    size: int | None = None
    damaged: str | None = None


def load(store: Path, entry: Descriptor, tags: tuple[str, ...]) -> Stored:
    """Read manifest and record, and check that every blob is there with its size.

    Raises ``ARTIFACT_DAMAGED``, or ``ARTIFACT_NOT_FOUND`` when the manifest is some other image.
    """
    try:
        manifest = layout.read_manifest(store, entry)
        if manifest.artifact_type != ARTIFACT_TYPE:
            kind = manifest.artifact_type or "an image"
            raise AotError(
                ErrorId.ARTIFACT_NOT_FOUND,
                reason=f"{entry.digest} in {store} is not an artifact of aot but {kind}",
                remedy="see `aot list` for the artifacts of this store",
            )
        for blob in (manifest.config, *manifest.layers):
            layout.check_present(store, blob)
        own = Descriptor(
            media_type=layout.MANIFEST_TYPE, digest=entry.digest, size=entry.size, artifact_type=ARTIFACT_TYPE
        )
        return Stored(store, own, manifest, _read_record(store, manifest), tags)
    except BadBlobError as problem:
        raise damaged(store, entry.digest, str(problem), problem.digest) from problem


def _read_record(store: Path, manifest: Manifest) -> Record:
    """The record, from the first layer: that layer is small and is proven against its digest."""
    if not manifest.layers or manifest.layers[0].size > _MAX_RECORD_LAYER:
        raise BadBlobError(manifest.config.digest, "belongs to a manifest whose first layer is not a record")
    first = manifest.layers[0]
    content = None
    try:
        with proven(store, first) as reader:
            for entry in entries(reader):
                if entry.name == RECORD_NAME:
                    content = b"".join(entry.pieces)
    except BadLayerError as problem:
        raise BadBlobError(first.digest, f"is not a layer of an artifact: {problem}") from problem
    if content is None:
        raise BadBlobError(first.digest, f"holds no {RECORD_NAME}")
    return record.decode(content)


def row(store: Path, entry: Descriptor, tags: tuple[str, ...], stored: str) -> Row | None:
    """The line of one index entry; None for an image that is not ours, or a report."""
    facts = Row(digest=entry.digest, tags=list(tags), stored=stored)
    try:
        manifest = layout.read_manifest(store, entry)
        if manifest.artifact_type != ARTIFACT_TYPE:
            return None
        blobs = (entry, manifest.config, *manifest.layers)
        facts = _described(facts, manifest, sum(blob.size for blob in blobs))
        for blob in blobs:
            layout.check_present(store, blob)
    except BadBlobError as problem:
        return msgspec.structs.replace(facts, damaged=str(problem))
    return facts


def _described(facts: Row, manifest: Manifest, size: int) -> Row:
    notes = manifest.annotations or {}

    def note(name: str) -> str | None:
        return notes.get(f"{VENDOR}.{name}")

    def number(name: str) -> int | None:
        text = note(name) or ""
        return int(text) if text.isascii() and text.isdigit() else None

    return msgspec.structs.replace(
        facts,
        key=note("key"),
        model=note("model"),
        revision=notes.get("org.opencontainers.image.revision"),
        target=note("target"),
        toolchain=note("toolchain"),
        tensor_parallel_size=number("tensor-parallel-size"),
        max_model_len=number("max-model-len"),
        max_num_seqs=number("max-num-seqs"),
        fingerprint=note("fingerprint"),
        simulated=note("simulated") == "true",
        size=size,
    )


def damaged(store: Path, digest: str, why: str, blob: str) -> AotError:
    """``ARTIFACT_DAMAGED`` naming blob and artifact."""
    return AotError(
        ErrorId.ARTIFACT_DAMAGED,
        reason=f"artifact {digest} in {store} is damaged: {why}",
        remedy="build it again with --rebuild and the same options, or copy it anew from a whole one",
        facts={"store": str(store), "artifact": digest, "blob": blob},
    )
