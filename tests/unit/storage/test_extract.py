"""Extraction: whole and proven, or not at all; nothing outside the directory."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from aot.artifact import layout, record
from aot.artifact.image import ARTIFACT_TYPE, PackedImage
from aot.artifact.layout import Descriptor, Manifest
from aot.artifact.record import tag_for_key
from aot.artifact.tar import Member, header, write_layer
from aot.errors import AotError, ErrorId
from aot.storage.local import LocalStore
from tests.support.artifacts import CANONICAL, key_for, make_packed, make_record, put_artifact

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store").open_or_create()


def _tree(path: Path) -> set[str]:
    return {str(p.relative_to(path)) for p in path.rglob("*")}


def test_everything_is_there(store: LocalStore, tmp_path: Path) -> None:
    put = put_artifact(store, tmp_path)
    target = tmp_path / "deep/out"
    assert store.extract(put.digest, target) == put
    assert _tree(target) == {
        ".aot-artifact.json",
        "record.json",
        "compiled",
        "compiled/model.pt",
        "compiled/neuron_config.json",
    }
    assert (target / "compiled/model.pt").read_bytes() == b"model"
    assert record.decode((target / "record.json").read_bytes()) == put.record


def test_marker_names_the_digest(store: LocalStore, tmp_path: Path) -> None:
    put = put_artifact(store, tmp_path)
    store.extract(None, tmp_path / "out")
    marker = json.loads((tmp_path / "out/.aot-artifact.json").read_text())
    assert marker == {"schema_version": 1, "digest": put.digest, "key": put.key}


def test_nothing_is_left_beside_it(store: LocalStore, tmp_path: Path) -> None:
    put_artifact(store, tmp_path)
    store.extract(None, tmp_path / "target/out")
    assert [p.name for p in (tmp_path / "target").iterdir()] == ["out"]


def test_empty_directory_is_filled(store: LocalStore, tmp_path: Path) -> None:
    put_artifact(store, tmp_path)
    (tmp_path / "out").mkdir()
    store.extract(None, tmp_path / "out")
    assert (tmp_path / "out/record.json").is_file()


def test_the_same_artifact_again_is_left_alone(store: LocalStore, tmp_path: Path) -> None:
    put_artifact(store, tmp_path)
    store.extract(None, tmp_path / "out")
    before = (tmp_path / "out/record.json").stat().st_ino
    store.extract(None, tmp_path / "out")
    assert (tmp_path / "out/record.json").stat().st_ino == before


@pytest.mark.parametrize("how", ["foreign", "other artifact", "file lost", "file cut"])
def test_a_used_directory_is_refused(store: LocalStore, tmp_path: Path, how: str) -> None:
    put = put_artifact(store, tmp_path)
    out = tmp_path / "out"
    if how == "foreign":
        out.mkdir()
        (out / "mine").write_text("mine")
    else:
        store.extract(put.digest, out)
    if how == "file lost":
        (out / "compiled/model.pt").unlink()
    if how == "file cut":
        (out / "compiled/model.pt").write_bytes(b"m")
    wanted = put_artifact(store, tmp_path, "b").digest if how == "other artifact" else put.digest
    before = _tree(out)
    with pytest.raises(AotError) as caught:
        store.extract(wanted, out)
    assert caught.value.error_id is ErrorId.DESTINATION_IN_USE
    assert _tree(out) == before


@pytest.mark.parametrize("position", [3, 300, 600, -1])
def test_flipped_bit_is_noticed_while_writing(store: LocalStore, tmp_path: Path, position: int) -> None:
    put = put_artifact(store, tmp_path)
    path = layout.blob_path(store.path, put.manifest.layers[1].digest)
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(AotError, match="was altered") as caught:
        store.extract(put.digest, tmp_path / "target/out")
    assert caught.value.error_id is ErrorId.ARTIFACT_DAMAGED
    assert list((tmp_path / "target").iterdir()) == []


def _store_layers(store: LocalStore, tmp_path: Path, layers: list[bytes]) -> str:
    """An image whose digests are all right and whose layers somebody else made; returns its digest."""
    packed = make_packed(tmp_path / "honest")
    first = packed.manifest.layers[0]
    blobs = {first.digest: packed.blobs[first.digest]}
    described = [first]
    for number, content in enumerate(layers):
        path = tmp_path / f"hostile-{number}"
        path.write_bytes(content)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        blobs[digest] = path
        described.append(Descriptor(media_type=layout.LAYER_TYPE, digest=digest, size=len(content)))
    blobs[packed.manifest.config.digest] = packed.blobs[packed.manifest.config.digest]
    manifest = msgspec.structs.replace(packed.manifest, layers=described)
    content = layout.canonical(manifest)
    (tmp_path / "manifest").write_bytes(content)
    digest = layout.digest_of(content)
    blobs[digest] = tmp_path / "manifest"
    entry = Descriptor(media_type=layout.MANIFEST_TYPE, digest=digest, size=len(content), artifact_type=ARTIFACT_TYPE)
    return store.put(PackedImage(digest, entry, manifest, packed.record, blobs)).digest


def _layer(tmp_path: Path, *members: Member) -> bytes:
    return write_layer(tmp_path / "made", members).path.read_bytes()


_MODEL = Member("compiled/model.pt", b"model")
_CONFIG = Member("compiled/neuron_config.json", CANONICAL.encode())


def _hostile(case: str, tmp_path: Path) -> list[bytes]:
    model = _layer(tmp_path, _MODEL)
    end = bytes(1024)
    link = bytearray(header("compiled/model.pt", 0))
    link[156:157] = b"2"
    link[157:160] = b"/x\0"
    checksum = sum(link[:148]) + 8 * 32 + sum(link[156:])
    link[148:156] = b"%06o\0 " % checksum
    cases = {
        "climbs": [model, header("../evil", 0) + end],
        "absolute": [model, header("/evil", 0) + end],
        "is a link": [bytes(link) + end],
        "is not listed": [model, _layer(tmp_path, Member("compiled/evil.so", b""))],
        "comes twice": [model, model],
        "comes twice in one layer": [_layer(tmp_path, _MODEL, _MODEL)],
        "repeats the record": [model, _layer(tmp_path, Member("record.json", b"{}"))],
        "has another size": [_layer(tmp_path, Member("compiled/model.pt", b"models"))],
        "is lacking": [_layer(tmp_path)],
        "overwrites the marker": [model, header(".aot-artifact.json", 0) + end],
        "is no archive": [b"x" * 2048],
    }
    return cases[case]


@pytest.mark.parametrize(
    "case",
    [
        "climbs",
        "absolute",
        "is a link",
        "is not listed",
        "comes twice",
        "comes twice in one layer",
        "repeats the record",
        "has another size",
        "is lacking",
        "overwrites the marker",
        "is no archive",
    ],
)
def test_hostile_layers(store: LocalStore, tmp_path: Path, case: str) -> None:
    digest = _store_layers(store, tmp_path, _hostile(case, tmp_path))
    with pytest.raises(AotError) as caught:
        store.extract(digest, tmp_path / "target/out")
    assert caught.value.error_id is ErrorId.ARTIFACT_DAMAGED
    assert _tree(tmp_path / "target") == set()


def test_the_hostile_frame_itself_is_sound(store: LocalStore, tmp_path: Path) -> None:
    digest = _store_layers(store, tmp_path, [_layer(tmp_path, _MODEL)])
    store.extract(digest, tmp_path / "out")
    assert store.find(key_for("a")) is not None


def test_manifest_without_layers(store: LocalStore, tmp_path: Path) -> None:
    packed = make_packed(tmp_path)
    manifest = Manifest(schema_version=2, config=packed.manifest.config, layers=[], artifact_type=ARTIFACT_TYPE)
    content = layout.canonical(manifest)
    (tmp_path / "manifest").write_bytes(content)
    digest = layout.digest_of(content)
    entry = Descriptor(media_type=layout.MANIFEST_TYPE, digest=digest, size=len(content))
    blobs = {digest: tmp_path / "manifest", manifest.config.digest: packed.blobs[manifest.config.digest]}
    store.put(PackedImage(digest, entry, manifest, make_record(), blobs))
    with pytest.raises(AotError, match="first layer is not a record"):
        store.resolve(tag_for_key(key_for("a")))
