"""Blobs are what their digests say, and digests name nothing but blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from aot.artifact import layout
from aot.artifact.blobs import BadLayerError, proven
from aot.artifact.layout import BadBlobError, Descriptor

if TYPE_CHECKING:
    from pathlib import Path


def _blob(path: Path, content: bytes = b"content") -> Descriptor:
    digest = layout.digest_of(content)
    layout.blobs_directory(path).mkdir(parents=True)
    layout.blob_path(path, digest).write_bytes(content)
    return Descriptor(media_type="x", digest=digest, size=len(content))


def test_read_blob(tmp_path: Path) -> None:
    assert layout.read_blob(tmp_path, _blob(tmp_path), 100) == b"content"


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "sha256:" + "A" * 64, "sha512:" + "a" * 128, ""])
def test_odd_digests_never_become_a_path(tmp_path: Path, digest: str) -> None:
    with pytest.raises(BadBlobError, match="not named by a sha256"):
        layout.blob_path(tmp_path, digest)


def test_missing(tmp_path: Path) -> None:
    blob = _blob(tmp_path)
    layout.blob_path(tmp_path, blob.digest).unlink()
    with pytest.raises(BadBlobError, match="is missing"):
        layout.read_blob(tmp_path, blob, 100)


def test_cut(tmp_path: Path) -> None:
    blob = _blob(tmp_path)
    layout.blob_path(tmp_path, blob.digest).write_bytes(b"conten")
    with pytest.raises(BadBlobError, match="has 6 bytes instead of 7"):
        layout.check_present(tmp_path, blob)


def test_altered(tmp_path: Path) -> None:
    blob = _blob(tmp_path)
    layout.blob_path(tmp_path, blob.digest).write_bytes(b"Content")
    with pytest.raises(BadBlobError, match="was altered"):
        layout.read_blob(tmp_path, blob, 100)


def test_too_long_for_memory(tmp_path: Path) -> None:
    with pytest.raises(BadBlobError, match="more than the 3 expected"):
        layout.read_blob(tmp_path, _blob(tmp_path), 3)


def test_not_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(BadBlobError, match="not an image manifest"):
        layout.read_manifest(tmp_path, _blob(tmp_path, b"[]"))


def test_proven_reads_what_the_body_left(tmp_path: Path) -> None:
    with proven(tmp_path, _blob(tmp_path)) as reader:
        assert reader.read(3) == b"con"


def test_proven_notices_altered_content(tmp_path: Path) -> None:
    blob = _blob(tmp_path)
    layout.blob_path(tmp_path, blob.digest).write_bytes(b"Content")
    with pytest.raises(BadBlobError, match="was altered"), proven(tmp_path, blob):
        pass


def test_proven_prefers_the_cause_to_its_consequence(tmp_path: Path) -> None:
    blob = _blob(tmp_path)
    with pytest.raises(BadLayerError), proven(tmp_path, blob):
        raise BadLayerError("odd, but whole")
    layout.blob_path(tmp_path, blob.digest).write_bytes(b"Content")
    with pytest.raises(BadBlobError), proven(tmp_path, blob):
        raise BadLayerError("odd because altered")


def test_descriptor_keeps_every_field_of_the_specification() -> None:
    text = (
        b'{"mediaType":"m","digest":"d","size":1,"urls":["u"],"annotations":{"a":"b"},"data":"ZGF0YQ==",'
        b'"artifactType":"t","platform":{"architecture":"amd64","os":"linux","os.features":["x"]}}'
    )
    assert msgspec.json.encode(msgspec.json.decode(text, type=Descriptor)) == text


def test_canonical_json_has_no_order_of_its_own() -> None:
    assert layout.canonical({"b": 1, "a": [2]}) == layout.canonical({"a": [2], "b": 1}) == b'{"a":[2],"b":1}'


def test_what_the_disk_cannot_read_is_damage(tmp_path: Path) -> None:
    blob = _blob(tmp_path)
    path = layout.blob_path(tmp_path, blob.digest)
    path.unlink()
    path.mkdir()
    blob = msgspec.structs.replace(blob, size=path.stat().st_size)
    with pytest.raises(BadBlobError, match="cannot be read: Is a directory"):
        layout.read_blob(tmp_path, blob, 1 << 20)
    with pytest.raises(BadBlobError, match="cannot be read: Is a directory"), proven(tmp_path, blob):
        pass
