"""The OCI image layout on disk: descriptors, manifests, ``index.json`` and blobs.

https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md. Shapes follow the specification and keep every
field it names, so that an index which another tool wrote survives being rewritten by this one.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT_FILE = "oci-layout"
LAYOUT_VERSION = "1.0.0"
INDEX_FILE = "index.json"
MAX_MANIFEST = 4 << 20
"""Registries refuse larger manifests (distribution specification, "Pushing Manifests")."""

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """Type, digest and size of a blob."""

    media_type: str
    digest: str
    size: int
    urls: list[str] | None = None
    annotations: dict[str, str] | None = None
    data: str | None = None
    artifact_type: str | None = None
    platform: dict[str, Any] | None = None

    @property
    def tag(self) -> str | None:
        """The name this entry of an index goes by."""
        return (self.annotations or {}).get(REF_NAME)


class Manifest(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """An image manifest; ``subject`` makes it a referrer of another one."""

    schema_version: int
    config: Descriptor
    layers: list[Descriptor]
    media_type: str | None = None
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """``index.json``: the entry points of a layout, one entry per tag."""

    schema_version: int
    manifests: list[Descriptor]
    media_type: str | None = None
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class BadBlobError(Exception):
    """A blob that is missing or not what its digest says; the message says which and how."""

    def __init__(self, digest: str, why: str) -> None:
        super().__init__(f"blob {digest} {why}")
        self.digest = digest
        self.why = why


def canonical(document: object) -> bytes:
    """JSON with sorted keys and no spaces: equal documents have equal digests."""
    plain = msgspec.to_builtins(document)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(content: bytes) -> str:
    """``sha256:`` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blobs_directory(layout: Path) -> Path:
    """Where a layout keeps its blobs; only sha256 is used here."""
    return layout / "blobs" / "sha256"


def blob_path(layout: Path, digest: str) -> Path:
    """Path of a blob. Raises ``BadBlobError`` for anything but a sha256 digest, which could name any path."""
    if not DIGEST.fullmatch(digest):
        raise BadBlobError(digest, "is not named by a sha256 digest")
    return blobs_directory(layout) / digest.removeprefix("sha256:")


def check_present(layout: Path, blob: Descriptor) -> None:
    """Raise ``BadBlobError`` unless the blob exists with the size it should have; its content is not read."""
    try:
        size = blob_path(layout, blob.digest).stat().st_size
    except FileNotFoundError:
        raise BadBlobError(blob.digest, "is missing") from None
    except OSError as problem:
        raise BadBlobError(blob.digest, f"cannot be read: {problem.strerror}") from problem
    if size != blob.size:
        raise BadBlobError(blob.digest, f"has {size} bytes instead of {blob.size}")


def read_blob(layout: Path, blob: Descriptor, limit: int) -> bytes:
    """A small blob, proven against its digest. Raises ``BadBlobError``; nothing longer than ``limit`` is read."""
    check_present(layout, blob)
    if blob.size > limit:
        raise BadBlobError(blob.digest, f"has {blob.size} bytes, more than the {limit} expected here")
    try:
        content = blob_path(layout, blob.digest).read_bytes()
    except OSError as problem:
        raise BadBlobError(blob.digest, f"cannot be read: {problem.strerror}") from problem
    if digest_of(content) != blob.digest:
        raise BadBlobError(blob.digest, f"was altered: its content has the digest {digest_of(content)}")
    return content


def read_manifest(layout: Path, blob: Descriptor) -> Manifest:
    """The manifest that ``blob`` describes. Raises ``BadBlobError``."""
    content = read_blob(layout, blob, MAX_MANIFEST)
    try:
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as problem:
        raise BadBlobError(blob.digest, f"is not an image manifest: {problem}") from problem
