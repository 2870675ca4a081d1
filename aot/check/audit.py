"""One run over stored images: what was read, and everything that is wrong with it.

Findings are collected, not raised, so that one run tells all that is wrong and whom it concerns.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from aot.artifact import layout, record
from aot.artifact.blobs import BadLayerError, proven
from aot.artifact.image import ARTIFACT_TYPE, describe
from aot.artifact.layout import BadBlobError, Descriptor, Manifest
from aot.artifact.record import RECORD_NAME, FileFact, Record
from aot.artifact.untar import Entry, entries
from aot.errors import AotError

if TYPE_CHECKING:
    from pathlib import Path

_MAX_CONFIG = 4 << 20
_MAX_RECORD = 64 << 20
_REMEDY = (
    "build it again with --rebuild and the same options, or copy it anew from a store or registry where it is whole"
)

Kind = Literal["blob-damaged", "layer-unreadable", "record-mismatch", "image-malformed", "tag-mismatch", "blob-unused"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong; ``blob`` is the digest it was noticed at, ``artifact`` whom it concerns."""

    id: Kind
    severity: Literal["error", "warning"]
    reason: str
    remedy: str
    blob: str | None = None
    artifact: str | None = None


class Verification(msgspec.Struct, frozen=True):
    """How many blobs and bytes were read, and what was found; ``ok`` as long as nothing is an error."""

    ok: bool
    artifacts: list[str]
    blobs: int
    bytes: int
    findings: list[Finding]


class Audit:
    """Findings so far, and the blobs already read (artifacts share some)."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._read: dict[str, int] = {}
        self._artifacts: list[str] = []
        self.findings: list[Finding] = []

    def result(self) -> Verification:
        """The outcome of everything audited so far."""
        ok = all(finding.severity != "error" for finding in self.findings)
        return Verification(ok, self._artifacts, len(self._read), sum(self._read.values()), self.findings)

    def image(self, entry: Descriptor, tags: tuple[str, ...], *, must_be_ours: bool) -> None:
        """Audit one entry of the index; unless it ``must_be_ours``, others are only held against their digests."""
        manifest = self._manifest(entry)
        if manifest is None:
            return
        if manifest.artifact_type == ARTIFACT_TYPE:
            self._artifact(entry.digest, manifest, tags)
        elif must_be_ours:
            self._note("image-malformed", entry.digest, f"it is not an artifact of aot but {manifest.artifact_type}")
        else:
            for blob in (manifest.config, *manifest.layers):
                self._foreign_blob(entry.digest, blob)

    def _note(self, kind: Kind, artifact: str, reason: str, blob: str | None = None) -> None:
        self.findings.append(Finding(kind, "error", reason, _REMEDY, blob, artifact))

    def _small(self, artifact: str, blob: Descriptor, limit: int) -> bytes | None:
        try:
            content = layout.read_blob(self._store, blob, limit)
        except BadBlobError as problem:
            self._note("blob-damaged", artifact, str(problem), problem.digest)
            return None
        self._read[blob.digest] = blob.size
        return content

    def _manifest(self, entry: Descriptor) -> Manifest | None:
        content = self._small(entry.digest, entry, layout.MAX_MANIFEST)
        try:
            return None if content is None else msgspec.json.decode(content, type=Manifest)
        except msgspec.DecodeError as problem:
            self._note("image-malformed", entry.digest, f"the manifest cannot be read: {problem}", entry.digest)
            return None

    def _artifact(self, digest: str, manifest: Manifest, tags: tuple[str, ...]) -> None:
        self._artifacts.append(digest)
        self._image_config(digest, manifest)
        before = len(self.findings)
        files: dict[str, FileFact] = {}
        texts: list[bytes] = []
        for layer in manifest.layers:
            found = self._layer(digest, layer, texts)
            for name in sorted(files.keys() & found.keys()):
                self._note("record-mismatch", digest, f"two layers hold {name}", layer.digest)
            files |= found
        if any(finding.id in ("blob-damaged", "layer-unreadable") for finding in self.findings[before:]):
            return  # whatever the record disagrees with now is a consequence
        if len(texts) == 1:
            self._record(digest, texts[0], files, tags, manifest.annotations or {})
        else:
            self._note("record-mismatch", digest, f"{len(texts)} layers hold {RECORD_NAME} instead of one")

    def _image_config(self, artifact: str, manifest: Manifest) -> None:
        """Docker and containerd refuse an image whose diff ids are not those of its layers."""
        content = self._small(artifact, manifest.config, _MAX_CONFIG)
        if content is None:
            return
        try:
            diff_ids = msgspec.json.decode(content, type=dict[str, Any])["rootfs"]["diff_ids"]
        except (msgspec.DecodeError, KeyError, TypeError) as problem:
            reason = f"the image config cannot be read: {problem}"
            self._note("image-malformed", artifact, reason, manifest.config.digest)
            return
        if diff_ids != [layer.digest for layer in manifest.layers]:
            reason = "the image config lists other layers than the manifest; a mirror may have repacked them"
            self._note("image-malformed", artifact, reason, manifest.config.digest)

    def _foreign_blob(self, artifact: str, blob: Descriptor) -> None:
        try:
            with proven(self._store, blob):
                pass  # leaving reads it
        except BadBlobError as problem:
            self._note("blob-damaged", artifact, str(problem), blob.digest)
        else:
            self._read[blob.digest] = blob.size

    def _layer(self, artifact: str, layer: Descriptor, texts: list[bytes]) -> dict[str, FileFact]:
        """Facts of the files in a layer; the record's text is added to ``texts``."""
        files: dict[str, FileFact] = {}
        try:
            with proven(self._store, layer) as reader:
                for entry in entries(reader):
                    if entry.name == RECORD_NAME and entry.size <= _MAX_RECORD:
                        texts.append(b"".join(entry.pieces))
                    else:
                        files[entry.name] = _fact(entry)
        except BadBlobError as problem:
            self._note("blob-damaged", artifact, str(problem), layer.digest)
        except BadLayerError as problem:
            reason = f"layer {layer.digest} is not of an artifact: {problem}"
            self._note("layer-unreadable", artifact, reason, layer.digest)
        else:
            self._read[layer.digest] = layer.size
        return files

    def _record(
        self, artifact: str, text: bytes, files: dict[str, FileFact], tags: tuple[str, ...], notes: dict[str, str]
    ) -> None:
        try:
            facts = record.decode(text)
        except AotError as problem:
            self._note("record-mismatch", artifact, problem.reason)
            return
        for reason in _contradictions(facts, files, notes):
            self._note("record-mismatch", artifact, reason)
        for key in filter(None, map(record.key_of_tag, tags)):
            if key != facts.key:
                self._note("tag-mismatch", artifact, f"the tag of key {key} leads to an artifact of key {facts.key}")


def _fact(entry: Entry) -> FileFact:
    content = hashlib.sha256()
    for piece in entry.pieces:
        content.update(piece)
    return FileFact(entry.size, content.hexdigest())


def _contradictions(facts: Record, files: dict[str, FileFact], notes: dict[str, str]) -> list[str]:
    """Where the record disagrees with the layers, with the manifest's annotations (what a list shows), or itself."""
    told = describe(facts)
    found = [
        f"the manifest's annotation {name} is {notes[name]!r}, the record says {told[name]!r}"
        for name in sorted(told.keys() & notes.keys())
        if notes[name] != told[name]
    ]
    for name in sorted(facts.files.keys() | files.keys()):
        if name not in files:
            found.append(f"the record lists {name}, which no readable layer holds")
        elif name not in facts.files:
            found.append(f"a layer holds {name}, which the record does not list")
        elif facts.files[name] != files[name]:
            found.append(f"{name} has the sha256 {files[name].sha256}, the record says {facts.files[name].sha256}")
    # MD5 is upstream's choice for the serve-time hash; nothing is protected by it here.
    hashed = hashlib.md5(facts.canonical_json.encode(), usedforsecurity=False).hexdigest()
    if hashed != facts.fingerprint.found:
        found.append(f"the recorded configuration hashes to {hashed}, the record says {facts.fingerprint.found}")
    return found
