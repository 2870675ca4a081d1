"""Verification finds what is wrong, says at which blob, and whom it concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from aot.artifact import layout
from aot.artifact.record import FingerprintFact
from aot.check.verify import verify, verify_store
from aot.storage.local import LocalStore
from tests.support.artifacts import make_packed, put_artifact

if TYPE_CHECKING:
    from pathlib import Path

    from aot.storage.stored import Stored


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store").open_or_create()


@pytest.fixture
def put(store: LocalStore, tmp_path: Path) -> Stored:
    return put_artifact(store, tmp_path, content=b"model" * 1000)


def _damage(store: LocalStore, digest: str, how: str) -> None:
    path = layout.blob_path(store.path, digest)
    content = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
        return
    if how == "cut":
        del content[-1:]
    elif how == "longer":
        content += b"\0"
    else:
        content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def test_a_whole_artifact(store: LocalStore, put: Stored) -> None:
    found = verify(store, None)
    assert (found.ok, found.artifacts, found.findings) == (True, [put.digest], [])
    assert (found.blobs, found.bytes) == (4, put.size)


@pytest.mark.parametrize("which", [0, 1, 2, 3])
@pytest.mark.parametrize("how", ["missing", "cut", "longer", "flipped"])
def test_every_blob_every_damage(store: LocalStore, put: Stored, which: int, how: str) -> None:
    digest = put.blobs[which].digest
    _damage(store, digest, how)
    found = verify(store, put.digest)
    assert not found.ok
    # Only the cause: what the record then disagrees with is not told.
    assert [(f.id, f.blob, f.artifact) for f in found.findings] == [("blob-damaged", digest, put.digest)]


def test_every_bit_of_a_layer_counts(store: LocalStore, put: Stored) -> None:
    """Headers and padding included: one position in each region of the archive."""
    digest = put.manifest.layers[1].digest
    path = layout.blob_path(store.path, digest)
    whole = path.read_bytes()
    for position in (0, 100, 257, 511, 512, 1024, 5000, len(whole) - 1200, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        assert [f.id for f in verify(store, put.digest).findings][:1] == ["blob-damaged"], position
    path.write_bytes(whole)
    assert verify(store, put.digest).ok


def test_all_damage_is_told_at_once(store: LocalStore, put: Stored) -> None:
    for blob in put.manifest.layers:
        _damage(store, blob.digest, "flipped")
    damaged = {f.blob for f in verify(store, put.digest).findings if f.id == "blob-damaged"}
    assert damaged == {blob.digest for blob in put.manifest.layers}


def test_record_that_contradicts_itself(store: LocalStore, tmp_path: Path) -> None:
    store.put(make_packed(tmp_path, fingerprint=FingerprintFact(found="0" * 32)))
    (finding,) = verify(store, None).findings
    assert finding.id == "record-mismatch"
    assert "the record says " + "0" * 32 in finding.reason


def test_tag_of_another_key(store: LocalStore, put: Stored) -> None:
    wrong = "key-" + "0" * 64
    index = store.path / "index.json"
    index.write_text(index.read_text().replace(put.tags[0], wrong))
    assert [f.id for f in verify(store, wrong).findings] == ["tag-mismatch"]
    assert store.find("0" * 64) is None


def test_repacked_by_a_mirror(store: LocalStore, put: Stored, tmp_path: Path) -> None:
    """Layers replaced under a manifest that fits them, with the image config left as it was."""
    other = make_packed(tmp_path / "x", content=b"other")
    for layer in other.manifest.layers:
        layout.blob_path(store.path, layer.digest).write_bytes(other.blobs[layer.digest].read_bytes())
    _forge(store, put, layers=other.manifest.layers)
    found = verify(store, None)
    assert [f.id for f in found.findings] == ["image-malformed"]
    assert "mirror" in found.findings[0].reason


def _forge(store: LocalStore, put: Stored, **changes: object) -> None:
    """Put a manifest with ``changes`` in the place of the honest one, digests all right."""
    content = layout.canonical(msgspec.structs.replace(put.manifest, **changes))
    digest = layout.digest_of(content)
    layout.blob_path(store.path, digest).write_bytes(content)
    index = store.path / "index.json"
    sizes = (f'"size": {put.descriptor.size}', f'"size": {len(content)}')
    index.write_text(index.read_text().replace(put.digest, digest).replace(*sizes))


def _reasons(store: LocalStore) -> list[str]:
    return [finding.reason for finding in verify(store, None).findings if finding.id == "record-mismatch"]


def test_annotations_that_contradict_the_record(store: LocalStore, put: Stored) -> None:
    notes = {**(put.manifest.annotations or {}), "vnd.neuron-aot.simulated": "false", "other": "x"}
    _forge(store, put, annotations=notes)
    assert _reasons(store) == ["the manifest's annotation vnd.neuron-aot.simulated is 'false', the record says 'true'"]


def test_a_layer_twice(store: LocalStore, put: Stored) -> None:
    _forge(store, put, layers=[*put.manifest.layers, put.manifest.layers[1]])
    assert "two layers hold compiled/model.pt" in _reasons(store)


@pytest.mark.parametrize(("kept", "count"), [([1], 0), ([0, 0, 1], 2)])
def test_not_one_record(store: LocalStore, put: Stored, kept: list[int], count: int) -> None:
    _forge(store, put, layers=[put.manifest.layers[n] for n in kept])
    assert f"{count} layers hold record.json instead of one" in _reasons(store)


def test_a_listed_file_in_no_layer(store: LocalStore, put: Stored) -> None:
    _forge(store, put, layers=put.manifest.layers[:1])
    assert _reasons(store) == ["the record lists compiled/model.pt, which no readable layer holds"]


def test_a_report_is_no_artifact(store: LocalStore, put: Stored) -> None:
    report = store.attach_report(put.digest, {})
    assert [f.id for f in verify(store, report).findings] == ["image-malformed"]


class TestStore:
    """The whole store at once."""

    def test_whole(self, store: LocalStore, put: Stored) -> None:
        store.attach_report(put.digest, {"seconds": 1})
        found = verify_store(store)
        assert (found.ok, found.artifacts, found.blobs) == (True, [put.digest], 7)

    def test_empty(self, store: LocalStore) -> None:
        assert verify_store(store).ok

    def test_only_the_artifact_that_suffers(self, store: LocalStore, put: Stored, tmp_path: Path) -> None:
        other = put_artifact(store, tmp_path, "b", b"another model")
        _damage(store, other.manifest.layers[1].digest, "flipped")
        found = verify_store(store)
        assert {f.artifact for f in found.findings} == {other.digest}
        assert put.digest in found.artifacts

    def test_a_shared_blob_harms_both(self, store: LocalStore, put: Stored, tmp_path: Path) -> None:
        other = put_artifact(store, tmp_path, "b", b"model" * 1000)
        _damage(store, put.manifest.layers[1].digest, "missing")
        concerned = {f.artifact for f in verify_store(store).findings if f.id == "blob-damaged"}
        assert concerned == {put.digest, other.digest}

    def test_damaged_report(self, store: LocalStore, put: Stored) -> None:
        report = store.attach_report(put.digest, {"seconds": 1})
        _damage(store, report, "flipped")
        found = verify_store(store)
        assert ("blob-damaged", report) in [(f.id, f.blob) for f in found.findings]

    def test_extra_blob_is_only_mentioned(self, store: LocalStore, put: Stored) -> None:
        (layout.blobs_directory(store.path) / ("0" * 64)).write_text("extra")
        found = verify_store(store)
        assert found.ok
        assert [(f.id, f.blob) for f in found.findings] == [("blob-unused", "sha256:" + "0" * 64)]
