"""Differences of two releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aot.capture import diff
from aot.errors import AotError


def write(path: Path, **tables: Any) -> str:
    path.mkdir()
    (path / "profile.json").write_text(json.dumps({"schema_version": 1, "about": path.name, **tables}))
    return str(path)


def between(left: str, right: str) -> dict[str, diff.Change]:
    return {change.path: change for change in diff.changes(diff.read(left), diff.read(right))}


def test_the_packaged_releases_differ_where_the_vectors_say_they_do() -> None:
    found = between("sdk2.28.0", "sdk2.29.0")
    added = found["neuron_config.defaults.enable_ve_data_parallel"]
    assert (added.section, added.kind, added.right) == ("NeuronConfig", "added", False)
    assert found["plugin.architectures.Gemma3ForCausalLM"].section == "architectures"
    assert found["behaviour.hardware_enum_custom_member"].right is False
    assert found["toolchain.behaviour.hardware_enum_hijacked"].left is True
    assert found["components.neuronx-cc"].kind == "changed"
    assert found["nested.on_device_sampling_config.top_k_kernel_enabled"].right == "hardware is not TRN1"
    assert any(path.startswith("code.") for path in found)


def test_going_back_keys_are_removed() -> None:
    found = between("sdk2.28.0", "sdk2.27.1")
    gone = {path.rpartition(".")[2] for path, change in found.items() if change.kind == "removed"}
    assert {"disable_argmax_kernel", "kv_quant_config", "ep_dispatch_cc_option", "sampling_dp_degree"} <= gone


def test_a_release_does_not_differ_from_itself() -> None:
    assert between("sdk2.29.0", "sdk2.29.0") == {}


def test_a_release_without_a_profile_is_compared_by_what_is_known() -> None:
    assert diff.read("sdk2.30.0").has_profile is False
    assert diff.read("sdk2.29.0").has_profile is True


def test_values_differ_as_they_are_hashed_and_lists_of_names_have_no_order(tmp_path: Path) -> None:
    left = write(tmp_path / "a", engine={"x": 1, "y": True, "z": ["a", "b"], "n": [1, 2]})
    right = write(tmp_path / "b", engine={"x": 1.0, "y": 1, "z": ["b", "a"], "n": [2, 1]})
    assert set(between(left, right)) == {"engine.x", "engine.y", "engine.n"}


def test_what_only_one_side_records_is_no_difference(tmp_path: Path) -> None:
    left = write(tmp_path / "a", behaviour={"f": True}, code={"m:f": "1"}, not_captured={"x": "y"})
    right = write(tmp_path / "b", behaviour={"f": False})
    assert set(between(left, right)) == {"behaviour.f"}
    assert set(between(left, f"{right}/profile.json")) == {"behaviour.f"}


def test_the_draft_beside_a_captured_profile_is_read_too(tmp_path: Path) -> None:
    left, right = write(tmp_path / "a", behaviour={}), write(tmp_path / "b", behaviour={})
    (tmp_path / "a" / "toolchain.toml").write_text("name = 'x'\n[behaviour]\nempties_hash_directory = true\n")
    (tmp_path / "b" / "toolchain.toml").write_text("name = 'y'\n[behaviour]\nempties_hash_directory = false\n")
    assert set(between(left, right)) == {"toolchain.behaviour.empties_hash_directory"}


def test_sections_come_in_order_of_what_they_mean(tmp_path: Path) -> None:
    left = write(tmp_path / "a", engine={"x": 1}, components={"vllm": "1"}, plugin={"architectures": {}})
    right = write(tmp_path / "b", engine={"x": 2}, components={"vllm": "2"}, plugin={"architectures": {"A": "B"}})
    found = diff.changes(diff.read(left), diff.read(right))
    assert list(diff.sections(found)) == ["components", "architectures", "vLLM"]


@pytest.mark.parametrize(
    ("content", "error"),
    [(None, "unknown-toolchain"), ("{", "toolchain-file-damaged"), ("[]", "toolchain-file-damaged")],
)
def test_what_is_no_profile(tmp_path: Path, content: str | None, error: str) -> None:
    if content is not None:
        (tmp_path / "profile.json").write_text(content)
    with pytest.raises(AotError) as problem:
        diff.read(str(tmp_path))
    assert problem.value.error_id.string_id == error
