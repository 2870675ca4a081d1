"""Putting, finding, naming and listing artifacts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from aot.artifact import layout
from aot.artifact.image import pack
from aot.artifact.record import tag_for_key
from aot.errors import AotError, ErrorId
from aot.storage.local import LocalStore
from aot.storage.reference import parse_reference
from tests.support.artifacts import key_for, make_output, make_packed, make_record, put_artifact

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store").open_or_create()


def _index(store: LocalStore) -> list[tuple[str, str | None]]:
    entries = json.loads((store.path / "index.json").read_text())["manifests"]
    return [(e["digest"], (e.get("annotations") or {}).get(layout.REF_NAME)) for e in entries]


def test_put_then_find(store: LocalStore, tmp_path: Path) -> None:
    put = put_artifact(store, tmp_path)
    assert store.find(key_for("a")) == put
    assert put.tags == (tag_for_key(key_for("a")),)
    assert put.reference == f"oci:{store.path}:{tag_for_key(key_for('a'))}"


def test_reference_where_skopeo_cannot_follow(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "a:b").open_or_create()
    put = put_artifact(store, tmp_path)
    assert put.reference == f"{store.path}@{put.digest}"
    parsed = parse_reference(put.reference, tmp_path)
    assert LocalStore(parsed.store).open().resolve(parsed.name) == put


def test_find_of_another_key(store: LocalStore, tmp_path: Path) -> None:
    put_artifact(store, tmp_path)
    assert store.find(key_for("b")) is None


def test_blobs_are_moved_and_staging_is_empty(store: LocalStore, tmp_path: Path) -> None:
    put = put_artifact(store, tmp_path)
    assert {f"sha256:{p.name}" for p in (store.path / "blobs/sha256").iterdir()} == {b.digest for b in put.blobs}
    assert list((store.path / ".aot/staging").iterdir()) == []
    assert list((store.path / ".aot/locks").iterdir()) == []


def test_put_twice_changes_nothing(store: LocalStore, tmp_path: Path) -> None:
    first = put_artifact(store, tmp_path)
    before = _index(store)
    assert put_artifact(store, tmp_path) == first
    assert _index(store) == before


def test_put_of_the_same_packed_image_twice(store: LocalStore, tmp_path: Path) -> None:
    packed = make_packed(tmp_path)
    assert store.put(packed) == store.put(packed)


def test_put_repairs_a_damaged_blob(store: LocalStore, tmp_path: Path) -> None:
    put = put_artifact(store, tmp_path)
    layout.blob_path(store.path, put.manifest.layers[1].digest).write_bytes(b"cut")
    put_artifact(store, tmp_path)
    assert store.find(key_for("a")) == put


def test_rebuilt_key_takes_the_tag_over(store: LocalStore, tmp_path: Path) -> None:
    old = put_artifact(store, tmp_path, content=b"one")
    new = put_artifact(store, tmp_path, content=b"two")
    found = store.find(key_for("a"))
    assert found is not None
    assert found.digest == new.digest != old.digest
    assert _index(store) == [(old.digest, None), (new.digest, tag_for_key(key_for("a")))]
    assert store.resolve(old.digest).digest == old.digest


def test_more_tags(store: LocalStore, tmp_path: Path) -> None:
    with store.staging() as staging:
        put = store.put(pack(make_record(), make_output(tmp_path), staging), ["prod", "latest", "prod"])
    assert put.tags == (tag_for_key(key_for("a")), "latest", "prod")
    assert store.resolve("prod").digest == put.digest


def test_unknown_fields_of_other_entries_survive(store: LocalStore, tmp_path: Path) -> None:
    entry = {
        "mediaType": layout.INDEX_TYPE,
        "digest": "sha256:" + "e" * 64,
        "size": 7,
        "annotations": {"org.opencontainers.image.ref.name": "foreign", "x": "y"},
        "platform": {"architecture": "arm64", "os": "linux"},
    }
    (store.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    put_artifact(store, tmp_path)
    assert entry in json.loads((store.path / "index.json").read_text())["manifests"]
    assert [row.digest for row in store.list()] == [store.resolve(None).digest]


class TestResolve:
    """Everything that names an artifact."""

    def test_names(self, store: LocalStore, tmp_path: Path) -> None:
        put = put_artifact(store, tmp_path)
        put_artifact(store, tmp_path, "b")
        digits = put.digest.removeprefix("sha256:")
        for name in (put.digest, digits, digits[:12], f"sha256:{digits[:12]}", put.key, tag_for_key(put.key)):
            assert store.resolve(name) == put

    def test_nothing_means_the_only_one(self, store: LocalStore, tmp_path: Path) -> None:
        put = put_artifact(store, tmp_path)
        store.attach_report(put.digest, {"seconds": 1})
        assert store.resolve(None) == put

    def test_nothing_among_two(self, store: LocalStore, tmp_path: Path) -> None:
        put_artifact(store, tmp_path)
        put_artifact(store, tmp_path, "b")
        with pytest.raises(AotError, match="no artifact is named"):
            store.resolve(None)

    @pytest.mark.parametrize("name", ["latest", "0" * 64, "sha256:" + "0" * 64, "a" * 11, "../../x", None])
    def test_unknown(self, store: LocalStore, name: str | None) -> None:
        with pytest.raises(AotError, match="there is no artifact") as caught:
            store.resolve(name)
        assert caught.value.error_id is ErrorId.ARTIFACT_NOT_FOUND

    def test_similar_names_are_listed(self, store: LocalStore, tmp_path: Path) -> None:
        with store.staging() as staging:
            store.put(pack(make_record(), make_output(tmp_path), staging), ["qwen3-8b-prod"])
        with pytest.raises(AotError, match="similar: qwen3-8b-prod"):
            store.resolve("qwen3-8b-prd")
        with pytest.raises(AotError, match=key_for("a")):
            store.resolve(key_for("a")[:6])

    def test_ambiguous_prefix(self, store: LocalStore) -> None:
        entries = [
            {"mediaType": layout.MANIFEST_TYPE, "digest": f"sha256:{'a' * 63}{last}", "size": 1} for last in "12"
        ]
        (store.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
        with pytest.raises(AotError, match="more than one artifact") as caught:
            store.resolve("a" * 12)
        assert len(caught.value.facts["similar"]) == 2

    def test_another_image_is_not_an_artifact(self, store: LocalStore, tmp_path: Path) -> None:
        put = put_artifact(store, tmp_path)
        report = store.attach_report(put.digest, {})
        with pytest.raises(AotError, match=r"not an artifact of aot but application/vnd\.neuron-aot\.report"):
            store.resolve(report)


class TestDamage:
    """What is not whole is never reused, and said to be damaged."""

    @pytest.mark.parametrize("which", [0, 1, 2, 3])
    @pytest.mark.parametrize("how", ["missing", "cut"])
    def test_any_blob(self, store: LocalStore, tmp_path: Path, which: int, how: str) -> None:
        put = put_artifact(store, tmp_path)
        blob = put.blobs[which]
        path = layout.blob_path(store.path, blob.digest)
        if how == "missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(AotError) as caught:
            store.find(key_for("a"))
        assert caught.value.error_id is ErrorId.ARTIFACT_DAMAGED
        assert put.digest in caught.value.reason
        assert blob.digest in caught.value.reason
        assert caught.value.facts["blob"] == blob.digest

    @pytest.mark.parametrize("which", [0, 2])
    def test_flipped_bit_in_manifest_or_record(self, store: LocalStore, tmp_path: Path, which: int) -> None:
        put = put_artifact(store, tmp_path)
        path = layout.blob_path(store.path, put.blobs[which].digest)
        content = bytearray(path.read_bytes())
        content[700] ^= 1
        path.write_bytes(content)
        with pytest.raises(AotError, match="was altered"):
            store.find(key_for("a"))

    def test_told_instead_of_raised(self, store: LocalStore, tmp_path: Path) -> None:
        put = put_artifact(store, tmp_path)
        layout.blob_path(store.path, put.manifest.layers[1].digest).unlink()
        told: list[str] = []
        assert store.find(key_for("a"), told.append) is None
        assert "is missing" in told[0]

    def test_listed_with_the_reason(self, store: LocalStore, tmp_path: Path) -> None:
        put = put_artifact(store, tmp_path)
        put_artifact(store, tmp_path, "b", b"another model")
        layout.blob_path(store.path, put.manifest.layers[1].digest).unlink()
        rows = {row.digest: row for row in store.list()}
        assert "is missing" in (rows.pop(put.digest).damaged or "")
        assert [row.damaged for row in rows.values()] == [None]

    def test_large_blobs_are_not_read(self, store: LocalStore, tmp_path: Path) -> None:
        """Reuse has to be instant; ``aot verify`` reads everything."""
        put = put_artifact(store, tmp_path)
        path = layout.blob_path(store.path, put.manifest.layers[1].digest)
        path.write_bytes(bytes(path.stat().st_size))
        assert store.find(key_for("a")) == put


def test_list(store: LocalStore, tmp_path: Path) -> None:
    put = put_artifact(store, tmp_path)
    store.attach_report(put.digest, {})
    (row,) = store.list()
    assert (row.digest, row.key, row.tags) == (put.digest, put.key, [tag_for_key(put.key)])
    assert (row.model, row.target, row.toolchain) == ("Qwen/Qwen3-8B", "inf2", "sdk2.28.0")
    assert (row.tensor_parallel_size, row.max_model_len, row.max_num_seqs) == (2, 2048, 2)
    assert (row.simulated, row.size, row.damaged) == (True, put.size, None)


def test_reports_lie_outside_the_digest(store: LocalStore, tmp_path: Path) -> None:
    put = put_artifact(store, tmp_path)
    store.attach_report(put.digest, {"seconds": 1.5})
    store.attach_report(put.digest, {"seconds": 2.5})
    assert store.reports(put.digest) == ({"seconds": 1.5}, {"seconds": 2.5})
    assert store.find(put.key) == put


def test_a_report_is_a_referrer(store: LocalStore, tmp_path: Path) -> None:
    put = put_artifact(store, tmp_path)
    report = store.attach_report(put.digest, {})
    manifest = json.loads(layout.blob_path(store.path, report).read_bytes())
    assert manifest["subject"]["digest"] == put.digest
    assert manifest["artifactType"] == "application/vnd.neuron-aot.report.v1+json"


def test_a_report_needs_an_artifact(store: LocalStore) -> None:
    with pytest.raises(AotError) as caught:
        store.attach_report("sha256:" + "0" * 64, {})
    assert caught.value.error_id is ErrorId.ARTIFACT_NOT_FOUND
