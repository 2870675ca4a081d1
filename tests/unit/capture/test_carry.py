"""Taking over what cannot be found: rules and trials, never defaults; never for code that changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from aot import toolchain
from aot.capture.carry import KNOWLEDGE, carried
from aot.fingerprint import profile as profiles


def stripped(profile: dict[str, Any]) -> dict[str, Any]:
    """A measured profile as a capture would give it: without what nothing but measuring finds."""
    bare = copy.deepcopy(profile)
    for pattern in KNOWLEDGE:
        if "fields" not in pattern:
            remove(bare, pattern)
    return bare


def remove(table: dict[str, Any], pattern: tuple[str, ...]) -> None:
    head, *rest = pattern
    for name in list(table) if head == "*" else [head]:
        if rest:
            remove(table[name], tuple(rest))
        else:
            table.pop(name, None)


@pytest.fixture
def measured() -> dict[str, Any]:
    profile = toolchain.load_profile("sdk2.28.0")
    assert profile is not None
    return copy.deepcopy(profile)


def test_a_capture_of_the_same_release_becomes_the_measured_profile(measured: dict[str, Any]) -> None:
    bare = stripped(measured)
    with pytest.raises(ValueError, match="lacks"):
        profiles.check(bare)
    filled = carried(bare, measured, [])
    assert filled.profile == measured
    assert filled.left_out == []
    assert "engine.quantization_methods" in filled.paths
    assert "transformers.classes.qwen3.steps" in filled.paths


def test_a_default_or_an_option_that_is_gone_stays_gone(measured: dict[str, Any]) -> None:
    bare = stripped(measured)
    del bare["neuron_config"]["defaults"]["switch_cc"]
    del bare["plugin"]["architectures"]["DbrxForCausalLM"]
    bare["neuron_config"]["defaults"]["seq_len"] = 4
    filled = carried(bare, measured, []).profile
    assert "switch_cc" not in filled["neuron_config"]["defaults"]
    assert "DbrxForCausalLM" not in filled["plugin"]["architectures"]
    assert filled["neuron_config"]["defaults"]["seq_len"] == 4


def test_a_class_whose_code_changed_or_that_is_new_is_left_to_exact(measured: dict[str, Any]) -> None:
    bare = stripped(measured)
    bare["model_classes"]["NeuronNewForCausalLM"] = {"config_class": "NewInferenceConfig"}
    changed = [
        "neuronx_distributed_inference.models.llama.modeling_llama:LlamaInferenceConfig",
        "t.gpt_oss:GptOssConfig",
    ]
    filled = carried(bare, measured, changed)
    assert filled.left_out == [
        "model_classes.NeuronLlamaForCausalLM",
        "model_classes.NeuronNewForCausalLM",
        "transformers.classes.gpt_oss",
    ]
    assert "NeuronLlamaForCausalLM" not in filled.profile["model_classes"]
    assert not any(path.startswith(tuple(f"{gone}." for gone in filled.left_out)) for path in filled.paths)
    profiles.check(filled.profile)


def test_what_was_measured_of_a_field_survives_unless_its_declaration_changed(measured: dict[str, Any]) -> None:
    bare = stripped(measured)
    fields = bare["engine"]["fields"]
    fields["seed"] = {"type": "int", "effect_unknown": True, "neutral": [0]}
    fields["stream_interval"] = {"type": "int", "minimum": 2, "effect_unknown": True}
    fields["new_field"] = {"type": "bool", "effect_unknown": True}
    filled = carried(bare, measured, []).profile["engine"]["fields"]
    assert filled["seed"] == measured["engine"]["fields"]["seed"]
    assert filled["stream_interval"] == fields["stream_interval"]
    assert filled["new_field"]["effect_unknown"] is True


def test_the_inputs_are_left_alone(measured: dict[str, Any]) -> None:
    bare = stripped(measured)
    before = copy.deepcopy(bare)
    carried(bare, measured, ["x:LlamaInferenceConfig"])
    assert bare == before
