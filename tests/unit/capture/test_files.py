"""The two files a capture writes."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from aot import toolchain
from aot.capture import files
from aot.capture.capture import Captured, Found
from aot.errors import AotError
from aot.toolchain import Toolchain

VERSIONS = {
    "vllm": "0.13.0",
    "vllm-neuron": "0.4.1+3c11",
    "neuronx-cc": "2.23.6484.0+3b612583",
    "transformers": None,
    "python": "3.12.11",
}


@pytest.fixture
def captured() -> Captured:
    behaviour = {"empties_hash_directory": True, "artifact_path_variable": "NEURON_COMPILED_ARTIFACTS"}
    found = Found(
        profile={"neuron_config": {"defaults": {"bound": float("inf")}}, "code": {"m:f": "00"}},
        toolchain={"python_version": "3.12.11", "behaviour": behaviour, "default_lnc": {"inf2": 1}},
        versions=VERSIONS,
        computed={"neuron_config.buckets": "[self.seq_len]"},
        not_captured={"toolchain.targets": "not in the image", "engine.fields": "no vLLM"},
    )
    return Captured(found, "r.example.com/vllm:0.13.0-sdk2.28.0@sha256:ab", simulated=False)


def test_the_profile_names_what_it_lacks(captured: Captured) -> None:
    made = files.profile(captured, "sdk9.9.9")
    assert made["toolchain"] == "sdk9.9.9"
    assert made["components"] == {"vllm": "0.13.0", "vllm-neuron": "0.4.1+3c11"}
    assert made["not_captured"]["engine.fields"] == "no vLLM"
    assert made["not_captured"]["components.transformers"] == "not installed"
    assert "carried_over" not in made


def test_the_draft_holds_what_is_known_and_says_what_is_not(captured: Captured) -> None:
    text = files.draft(captured, "sdk9.9.9", "/opt/conda/bin/python3")
    fields = msgspec.toml.decode(text)
    assert fields["image"] == "r.example.com/vllm:0.13.0-sdk2.28.0"
    assert (fields["sdk"], fields["vllm"], fields["plugin"]) == ("9.9.9", "0.13.0", "0.4.1")
    assert fields["components"] == {"neuronx-cc": "2.23.6484.0+3b612583"}
    assert fields["behaviour"]["empties_hash_directory"] is True
    assert "targets" not in fields
    assert "# not captured: targets (not in the image)" in text


def test_a_draft_is_no_toolchain_until_somebody_has_completed_it(captured: Captured) -> None:
    text = files.draft(captured, "sdk9.9.9", "python3")
    with pytest.raises(msgspec.ValidationError, match="missing required field"):
        msgspec.toml.decode(text, type=Toolchain)


def test_a_simulated_draft_says_so(captured: Captured) -> None:
    simulated = Captured(captured.found, captured.image, simulated=True)
    assert "SIMULATED" in files.draft(simulated, "sdk9.9.9", "python3")
    assert files.profile(simulated, "sdk9.9.9")["simulated"] is True


def test_writing_twice_gives_the_same_bytes(captured: Captured, tmp_path: Path) -> None:
    for name in ("a", "b"):
        files.write(files.profile(captured, "n"), files.draft(captured, "n", "p"), tmp_path / name)
    for file in (files.PROFILE, files.DRAFT):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert json.loads((tmp_path / "a" / files.PROFILE).read_bytes())["neuron_config"]["defaults"]["bound"] == float(
        "inf"
    )


def test_a_directory_that_cannot_be_written_is_an_error_with_a_remedy(captured: Captured, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AotError) as problem:
        files.write({}, "", tmp_path / "file" / "below")
    assert problem.value.error_id.string_id == "store-not-writable"
    assert "--output" in problem.value.remedy


def test_code_that_differs_from_the_measured_release_is_named(captured: Captured) -> None:
    measured = toolchain.load_code("sdk2.28.0")
    assert len(measured) > 40
    same = msgspec.structs.replace(captured.found, profile={"code": measured})
    assert files.changed_code(Captured(same, "i", simulated=False), "sdk2.28.0") == []
    one = sorted(measured)[0]
    other = msgspec.structs.replace(captured.found, profile={"code": {**measured, one: "0"}})
    assert files.changed_code(Captured(other, "i", simulated=False), "sdk2.28.0") == [one]
