"""Values: exactly what the artifact was compiled for, or a refusal that says what is missing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from aot.artifact.record import AppliedRemedy, Record, RemedyServing, Serving, ToolchainFact
from aot.deploy.render import render
from aot.deploy.values import values
from aot.errors import AotError, ErrorId
from tests.support.artifacts import IMAGE, MD5, key_for, make_record

_DIGEST = "sha256:" + "d" * 64
_IMAGE_DIGEST = "sha256:" + "e" * 64
_REPOSITORY = "registry.example.com/team/qwen3-8b"


def _real(**changes: Any) -> Record:
    toolchain = ToolchainFact(name="sdk2.28.0", sdk="2.28.0", image=IMAGE, digest=_IMAGE_DIGEST)
    return make_record(**{"simulated": False, "note": None, "toolchain": toolchain, **changes})


def _values(facts: Record | None = None, repository: str | None = _REPOSITORY, **options: Any) -> dict[str, Any]:
    behaviour: dict[str, Any] = {
        "artifact_path_variable": "NEURON_COMPILED_ARTIFACTS",
        "empties_hash_directory": True,
        **options,
    }
    return values(facts or _real(), _DIGEST, repository, **behaviour)


def test_the_whole_document() -> None:
    assert _values() == {
        "image": {
            "repository": "public.ecr.aws/neuron/pytorch-inference-vllm-neuronx",
            "tag": "0.13.0-neuronx-py312-sdk2.28.0-ubuntu24.04",
            "digest": _IMAGE_DIGEST,
        },
        "artifact": {
            "reference": f"{_REPOSITORY}@{_DIGEST}",
            "digest": _DIGEST,
            "key": key_for("a"),
            "fingerprint": MD5,
            "mountPath": "/artifact",
        },
        "model": {"id": "Qwen/Qwen3-8B", "revision": "b" * 40, "path": "/models/Qwen/Qwen3-8B"},
        "serve": {
            "command": ["vllm", "serve"],
            "args": [
                "/models/Qwen/Qwen3-8B",
                *("--tensor-parallel-size", "2"),
                *("--max-model-len", "2048"),
                *("--max-num-seqs", "2"),
                *("--dtype", "bfloat16"),
                *("--served-model-name", "Qwen/Qwen3-8B"),
            ],
            "env": [{"name": "NEURON_COMPILED_ARTIFACTS", "value": "/artifact/compiled"}],
        },
        "eos": {"stopIds": [151645, 151643]},
        "target": "inf2",
        "tensorParallelSize": 2,
        "simulated": False,
    }


def test_environment_of_the_record_is_kept() -> None:
    serving = Serving(flags=[], model_path="/m", environment={"NEURON_LOGICAL_NC_CONFIG": "1"})
    assert _values(_real(serving=serving))["serve"]["env"] == [
        {"name": "NEURON_COMPILED_ARTIFACTS", "value": "/artifact/compiled"},
        {"name": "NEURON_LOGICAL_NC_CONFIG", "value": "1"},
    ]


def test_another_mount() -> None:
    document = _values(mount="/cache/artifact")
    assert document["artifact"]["mountPath"] == "/cache/artifact"
    assert document["serve"]["env"][0]["value"] == "/cache/artifact/compiled"


def test_surviving_hash_directory_is_mounted_over() -> None:
    """Releases that leave it alone check the hash themselves there."""
    document = _values(empties_hash_directory=False)
    assert document["artifact"]["mountPath"] == f"/models/Qwen/Qwen3-8B/neuron-compiled-artifacts/{MD5}"
    assert document["serve"]["env"] == []


def test_no_way_to_load_is_refused() -> None:
    with pytest.raises(AotError, match="empties the hash directory") as caught:
        _values(artifact_path_variable=None)
    assert caught.value.error_id is ErrorId.NOT_COVERED


def test_remote_code_is_passed_on_once() -> None:
    facts = _real()
    trusting = msgspec.structs.replace(facts, request=msgspec.structs.replace(facts.request, trust_remote_code=True))
    assert _values(trusting)["serve"]["args"].count("--trust-remote-code") == 1
    flags = [*facts.serving.flags, "--trust-remote-code"]
    twice = msgspec.structs.replace(trusting, serving=msgspec.structs.replace(facts.serving, flags=flags))
    assert _values(twice)["serve"]["args"].count("--trust-remote-code") == 1


def test_without_a_repository_refused() -> None:
    with pytest.raises(AotError, match="only lies in a local store") as caught:
        _values(repository=None)
    assert caught.value.error_id is ErrorId.REFERENCE_REQUIRED


def test_unknown_image_digest_refused() -> None:
    toolchain = ToolchainFact(name="sdk2.28.0", sdk="2.28.0", image=IMAGE)
    with pytest.raises(AotError, match="which digest") as caught:
        _values(_real(toolchain=toolchain))
    assert caught.value.error_id is ErrorId.REFERENCE_REQUIRED


def test_simulated_refused() -> None:
    with pytest.raises(AotError, match="simulator") as caught:
        _values(make_record())
    assert caught.value.error_id is ErrorId.SIMULATED_REFUSED


def test_simulated_when_asked_for() -> None:
    document = _values(make_record(), allow_simulated=True)
    assert document["simulated"] is True
    assert document["image"]["digest"] is None


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [("host:5000/a/b:t", "host:5000/a/b", "t"), ("host:5000/a/b", "host:5000/a/b", None), ("a/b", "a/b", None)],
)
def test_image_names(image: str, repository: str, tag: str | None) -> None:
    toolchain = ToolchainFact(name="x", sdk="x", image=image, digest=_IMAGE_DIGEST)
    found = _values(_real(toolchain=toolchain))["image"]
    assert (found["repository"], found["tag"]) == (repository, tag)


class TestYaml:
    """The file a person reads and helm takes."""

    def test_it_is_the_document(self) -> None:
        document = _values()
        assert yaml.safe_load(render(document, _real())) == document

    def test_numbers_among_the_arguments_stay_text(self) -> None:
        assert "- '2048'\n" in render(_values(), _real())

    def test_order_is_kept(self) -> None:
        lines = render(_values(), _real()).splitlines()
        top = [line.partition(":")[0] for line in lines if line[0] not in "# -"]
        assert top == ["image", "artifact", "model", "serve", "eos", "target", "tensorParallelSize", "simulated"]

    def test_additional_config_stays_on_one_line(self) -> None:
        text = '{"override_neuron_config":{"on_device_sampling_config":null,"x":"' + "y" * 200 + '"}}'
        serving = Serving(flags=["--additional-config", text], model_path="/m")
        rendered = render(_values(_real(serving=serving)), _real())
        assert f"- '{text}'\n" in rendered

    def test_header(self) -> None:
        remedy = AppliedRemedy(id="pad-topk", error="NCC_IXCG856", serving=RemedyServing())
        header = [line for line in render(_values(), _real(remedies=[remedy])).splitlines() if line.startswith("#")]
        assert header[0] == "# Values for serving Qwen/Qwen3-8B on inf2, written by `aot values`."
        assert header[-1] == "# Built with the remedy pad-topk for NCC_IXCG856."

    def test_header_says_simulated(self) -> None:
        facts = make_record()
        assert "# SIMULATED: " in render(_values(facts, allow_simulated=True), facts)
        assert "SIMULATED" not in render(_values(), _real())

    def test_a_model_name_cannot_leave_its_comment(self) -> None:
        facts = _real()
        odd = msgspec.structs.replace(facts, model=msgspec.structs.replace(facts.model, id="a\nimage: evil"))
        assert render({}, odd).splitlines()[0].startswith("# Values for serving a image: evil on")
        odd = msgspec.structs.replace(facts, model=msgspec.structs.replace(facts.model, id="a\x1b[2J"))
        assert yaml.safe_load(render({"a": 1}, odd)) == {"a": 1}, "YAML takes no control characters"

    def test_same_bytes_every_time(self) -> None:
        assert render(_values(), _real()) == render(_values(), _real())
