"""The packed image: equal input, equal digest; everything a registry and an engine ask of an image."""

from __future__ import annotations

import json
import os
import tracemalloc
from typing import TYPE_CHECKING

import msgspec
import pytest

from aot.artifact import record
from aot.artifact.image import ARTIFACT_TYPE, VENDOR, PackedImage, pack
from aot.artifact.record import AppliedRemedy
from aot.errors import AotError, ErrorId
from tests.support.artifacts import key_for, make_output, make_packed, make_record

if TYPE_CHECKING:
    from pathlib import Path


def _config(packed: PackedImage) -> dict[str, object]:
    config: dict[str, object] = json.loads(packed.blobs[packed.manifest.config.digest].read_bytes())
    return config


def _manifest(packed: PackedImage) -> dict[str, object]:
    manifest: dict[str, object] = json.loads(packed.blobs[packed.digest].read_bytes())
    return manifest


def test_equal_input_equal_digest(tmp_path: Path) -> None:
    assert make_packed(tmp_path / "one").digest == make_packed(tmp_path / "other").digest


@pytest.mark.parametrize(
    "change", [{"what": "b"}, {"content": b"other"}, {"versions": {"vllm": "0.13.1"}}, {"simulated": False}]
)
def test_other_input_other_digest(tmp_path: Path, change: dict[str, object]) -> None:
    assert make_packed(tmp_path / "one").digest != make_packed(tmp_path / "other", **change).digest  # type: ignore[arg-type]


def test_digest_is_pinned(tmp_path: Path) -> None:
    """A change here is a change of the format: every artifact gets another digest. Say so in the changelog."""
    assert make_packed(tmp_path).digest == "sha256:21c6a6d3b8fd1a4330b55ec460c26ee5de73c1819a735c239d7b6a342fd64f54"


def test_record_gets_the_facts_of_the_files(tmp_path: Path) -> None:
    packed = make_packed(tmp_path)
    assert list(packed.record.files) == ["compiled/model.pt", "compiled/neuron_config.json"]
    assert packed.record.files["compiled/model.pt"].sha256 == key_for("model")


def test_one_small_layer_and_one_per_large_file(tmp_path: Path) -> None:
    weights = {f"tp{rank}_sharded_checkpoint.safetensors": b"w" for rank in (10, 9, 0)}
    (tmp_path / "staging").mkdir()
    packed = pack(make_record(), make_output(tmp_path, weights=weights), tmp_path / "staging")
    history = [step["created_by"] for step in _config(packed)["history"]]  # type: ignore[attr-defined]
    assert history == [
        "aot: record.json, compiled/neuron_config.json",
        "aot: compiled/model.pt",
        *(f"aot: compiled/weights/tp{rank}_sharded_checkpoint.safetensors" for rank in (0, 9, 10)),
    ]


def test_image_config_is_standard(tmp_path: Path) -> None:
    packed = make_packed(tmp_path)
    config = _config(packed)
    assert (config["architecture"], config["os"], config["created"]) == ("amd64", "linux", "1970-01-01T00:00:00Z")
    assert config["rootfs"] == {"type": "layers", "diff_ids": [layer.digest for layer in packed.manifest.layers]}
    assert config["config"] == {"Labels": packed.manifest.annotations}


def test_manifest_names_its_type(tmp_path: Path) -> None:
    manifest = _manifest(make_packed(tmp_path))
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["artifactType"] == ARTIFACT_TYPE
    assert manifest["schemaVersion"] == 2


def test_annotations_say_what_a_list_shows(tmp_path: Path) -> None:
    remedy = AppliedRemedy(id="pad-topk", error="NCC_IXCG856")
    notes = make_packed(tmp_path, remedies=[remedy]).manifest.annotations
    assert notes is not None
    assert notes[f"{VENDOR}.model"] == "Qwen/Qwen3-8B"
    assert notes[f"{VENDOR}.key"] == key_for("a")
    assert notes[f"{VENDOR}.simulated"] == "true"
    assert notes[f"{VENDOR}.remedies"] == "pad-topk"
    assert notes[f"{VENDOR}.versions"] == "neuronx-cc=2.23.6484,vllm=0.13.0"
    assert notes["org.opencontainers.image.revision"] == "b" * 40
    assert "SIMULATED" in notes["org.opencontainers.image.description"]


def test_unknown_facts_have_no_annotation(tmp_path: Path) -> None:
    facts = make_record()
    model = msgspec.structs.replace(facts.model, commit=None)
    notes = make_packed(tmp_path, model=model, versions={}).manifest.annotations
    assert notes is not None
    assert "org.opencontainers.image.revision" not in notes
    assert "None" not in notes.values()


def test_blobs_are_complete(tmp_path: Path) -> None:
    packed = make_packed(tmp_path)
    listed = {packed.digest, packed.manifest.config.digest, *(layer.digest for layer in packed.manifest.layers)}
    assert listed == set(packed.blobs)
    assert packed.size == sum(path.stat().st_size for path in packed.blobs.values())


def test_the_record_layer_holds_the_completed_record(tmp_path: Path) -> None:
    packed = make_packed(tmp_path)
    assert record.encode(packed.record) in packed.blobs[packed.manifest.layers[0].digest].read_bytes()


@pytest.mark.parametrize("missing", ["neuron_config.json", "model.pt"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    output = make_output(tmp_path / "output")
    (output / "compiled" / missing).unlink()
    with pytest.raises(AotError, match=f"compiled/{missing} is missing") as caught:
        pack(make_record(), output, tmp_path)
    assert caught.value.error_id is ErrorId.RUNNER_FAILED


@pytest.mark.parametrize("name", ["core", "weights/other.bin", "weights/tp0_sharded_checkpoint.safetensors.tmp"])
def test_a_file_too_many_is_named(tmp_path: Path, name: str) -> None:
    output = make_output(tmp_path / "output", weights={"tp0_sharded_checkpoint.safetensors": b""})
    (output / "compiled" / name).write_bytes(b"")
    with pytest.raises(AotError, match=f"compiled/{name} does not belong"):
        pack(make_record(), output, tmp_path)


@pytest.mark.parametrize("target", ["/etc/passwd", "/nowhere", "neuron_config.json"])
def test_links_are_refused(tmp_path: Path, target: str) -> None:
    output = make_output(tmp_path / "output")
    (output / "compiled/model.pt").unlink()
    (output / "compiled/model.pt").symlink_to(target)
    with pytest.raises(AotError, match="not a regular file"):
        pack(make_record(), output, tmp_path)


def test_a_linked_directory_is_refused(tmp_path: Path) -> None:
    output = make_output(tmp_path / "output")
    (output / "compiled/weights").symlink_to("/etc")
    with pytest.raises(AotError, match="does not belong"):
        pack(make_record(), output, tmp_path)


def test_fifo_is_refused(tmp_path: Path) -> None:
    output = make_output(tmp_path / "output")
    (output / "compiled/model.pt").unlink()
    os.mkfifo(output / "compiled/model.pt")
    with pytest.raises(AotError, match="not a regular file"):
        pack(make_record(), output, tmp_path)


def test_disk_too_small_is_said_before_copying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = make_output(tmp_path / "output")
    (tmp_path / "staging").mkdir()
    monkeypatch.setattr("aot.artifact.disk.free_bytes", lambda _: 1000)
    with pytest.raises(AotError, match=r"1\.0 MiB are needed, 1000 B are free") as caught:
        pack(make_record(), output, tmp_path / "staging")
    assert caught.value.error_id is ErrorId.DISK_FULL
    assert list((tmp_path / "staging").iterdir()) == []


def test_memory_does_not_grow_with_the_model(tmp_path: Path) -> None:
    output = make_output(tmp_path / "output")
    with (output / "compiled/model.pt").open("wb") as file:
        file.truncate(64 << 20)
    (tmp_path / "staging").mkdir()
    tracemalloc.start()
    try:
        pack(make_record(), output, tmp_path / "staging")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
