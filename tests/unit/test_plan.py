from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aot import plan, resolve
from aot.errors import AotError, ErrorId
from aot.lock import Pin
from aot.progress import Silent
from aot.request import BuildRequest, ServeOptions
from aot.resolve import Inputs
from tests.support.cli import EXAMPLE

OPTIONS = ServeOptions(tensor_parallel_size=2, max_model_len=2048, max_num_seqs=2)
REQUEST = BuildRequest(model=str(EXAMPLE), options=OPTIONS, simulate=True)
DEMO_FINGERPRINT = "cdb41dafa78720b351955fd849347b26"  # base-qwen3-8b of sdk2.28.0: what the genuine code computed
PIN = Pin("host/neuron/vllm:1", "sha256:" + "a" * 64)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return resolve.resolve(REQUEST, tmp_path / "aot.lock", Silent())


def with_request(inputs: Inputs, **changes: Any) -> Inputs:
    return replace(inputs, request=msgspec.structs.replace(inputs.request, **changes))


def with_config(inputs: Inputs, **changes: Any) -> Inputs:
    return replace(inputs, snapshot=replace(inputs.snapshot, config={**inputs.snapshot.config, **changes}))


def test_the_demo_is_predicted_to_the_byte(inputs: Inputs) -> None:
    planned = plan.make(inputs)
    assert planned.fingerprint.predicted == DEMO_FINGERPRINT
    assert planned.model.path == "/models/Qwen/Qwen3-8B"
    assert any(risk.error == "NCC_IXCG856" for risk in planned.risks)
    assert planned.serving.flags[:2] == ["--tensor-parallel-size", "2"]


def test_planning_is_pure_and_prints_as_json(inputs: Inputs) -> None:
    first = json.dumps(msgspec.to_builtins(plan.make(inputs)), sort_keys=True)
    assert first == json.dumps(msgspec.to_builtins(plan.make(inputs)), sort_keys=True)


def test_without_a_locked_digest_there_is_no_key_and_the_reason_is_said(inputs: Inputs) -> None:
    planned = plan.make(replace(with_request(inputs, simulate=False), image_identity=None))
    assert planned.key is None
    assert "aot toolchain lock sdk2.28.0" in str(planned.key_reason)


def test_a_simulated_key_is_never_a_real_one(inputs: Inputs) -> None:
    real = resolve.with_pin(with_request(inputs, simulate=False), PIN)
    assert plan.make(real).key not in (None, plan.make(inputs).key)


def test_the_key_names_what_is_asked_for_not_how_the_revision_was_spelled(inputs: Inputs) -> None:
    key = plan.make(inputs).key
    assert plan.make(with_request(inputs, revision="main", model="elsewhere")).key == key
    assert plan.make(with_request(inputs, options=msgspec.structs.replace(OPTIONS, dtype="bfloat16"))).key == key


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "trn1"},
        {"options": msgspec.structs.replace(OPTIONS, max_num_seqs=4)},
        {"options": msgspec.structs.replace(OPTIONS, additional_config={"max_prompt_length": 1024})},
        {"logical_nc_config": 1},
        {"compiler_flags": "--target inf2 -O1"},
        {"trust_remote_code": True},
        {"with_weights": True},
        {"remedies": False},
    ],
)
def test_everything_asked_for_is_in_the_key(inputs: Inputs, changes: dict[str, Any]) -> None:
    assert plan.make(with_request(inputs, **changes)).key != plan.make(inputs).key


def test_image_runner_model_and_path_are_in_the_key(inputs: Inputs) -> None:
    variants = [
        inputs,
        replace(inputs, image_identity="simulated:other"),
        replace(inputs, code_hash="other"),
        replace(inputs, snapshot=replace(inputs.snapshot, commit="c" * 40)),
        replace(inputs, snapshot=replace(inputs.snapshot, path="/models/Qwen/Qwen3-8B/")),
    ]
    keys = [plan.make(variant).key for variant in variants]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("config", "options", "error"),
    [
        ({"vision_config": {}}, OPTIONS, ErrorId.NOT_COVERED),
        (
            {},
            msgspec.structs.replace(
                OPTIONS, additional_config={"override_neuron_config": {"enable_fused_speculation": True}}
            ),
            ErrorId.NOT_COVERED,
        ),
        (
            {},
            msgspec.structs.replace(OPTIONS, additional_config={"override_neuron_config": {"lora_config": {"x": 1}}}),
            ErrorId.NOT_COVERED,
        ),
        ({"architectures": ["MistralForCausalLM"], "model_type": "mistral"}, OPTIONS, ErrorId.ARCHITECTURE_UNSUPPORTED),
        (
            {},
            msgspec.structs.replace(OPTIONS, additional_config={"override_neuron_config": {"cp_degree": 3}}),
            ErrorId.REFUSED_BY_SERVER,
        ),
        (
            {},
            msgspec.structs.replace(OPTIONS, enable_prefix_caching=True, block_size=16, max_model_len=1000),
            ErrorId.REFUSED_BY_SERVER,
        ),
        ({}, msgspec.structs.replace(OPTIONS, tensor_parallel_size=32), ErrorId.DOES_NOT_FIT),
        ({"num_hidden_layers": 10**9}, OPTIONS, ErrorId.NOT_COVERED),
        ({"num_labels": 10**8}, OPTIONS, ErrorId.NOT_COVERED),
        ({"num_hidden_layers": 4000}, ServeOptions(), ErrorId.DOES_NOT_FIT),
    ],
)
def test_what_cannot_be_served_is_refused(
    inputs: Inputs, config: dict[str, Any], options: ServeOptions, error: ErrorId
) -> None:
    with pytest.raises(AotError) as caught:
        plan.make(with_config(with_request(inputs, options=options), **config))
    assert caught.value.error_id is error
    assert caught.value.remedy


def test_a_release_without_a_profile_is_planned_without_a_prediction(tmp_path: Path) -> None:
    request = msgspec.structs.replace(REQUEST, toolchain="sdk2.30.0", simulate=False)
    planned = plan.make(resolve.resolve(request, tmp_path / "aot.lock", Silent()))
    with pytest.raises(AotError, match="does not play"):
        plan.make(resolve.resolve(msgspec.structs.replace(request, simulate=True), tmp_path / "aot.lock", Silent()))
    assert planned.fingerprint.predicted is None
    assert "sdk2.30.0" in str(planned.fingerprint.reason)


def test_the_logical_core_size_decides_how_many_cores_there_are(inputs: Inputs) -> None:
    wide = msgspec.structs.replace(OPTIONS, tensor_parallel_size=128)
    with pytest.raises(AotError, match="has 64 logical ones") as problem:
        plan.make(with_request(inputs, target="trn2", options=wide))
    assert problem.value.error_id is ErrorId.DOES_NOT_FIT
    planned = plan.make(with_request(inputs, target="trn2", options=wide, logical_nc_config=1))
    assert planned.estimate is not None
    assert planned.estimate.core_memory_bytes == 12 << 30
    on_inf2 = plan.make(with_request(inputs, logical_nc_config=2))
    assert "NCC_EARG001" in [risk.error for risk in on_inf2.risks]


def test_a_degree_that_does_not_divide_the_heads_is_warned_of(inputs: Inputs) -> None:
    planned = plan.make(with_request(inputs, options=msgspec.structs.replace(OPTIONS, tensor_parallel_size=3)))
    assert any("padded from 32 to 33" in warning for warning in planned.warnings)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_key_value_heads": "8"},
        {"head_dim": [128]},
        {"num_hidden_layers": 2**70},
        {"num_attention_heads": 0},
        {"vocab_size": None},
    ],
)
def test_a_malformed_config_without_a_degree_is_an_answer(inputs: Inputs, changes: dict[str, Any]) -> None:
    without = with_request(inputs, options=msgspec.structs.replace(OPTIONS, tensor_parallel_size=None))
    with pytest.raises(AotError, match=next(iter(changes))) as problem:
        plan.make(with_config(without, **changes))
    assert problem.value.error_id is ErrorId.NOT_COVERED


@pytest.mark.parametrize("architectures", [5, {"a": 1}, [5], [{}], [[]], [None], "x", True, [], None])
def test_malformed_architectures_are_an_answer(inputs: Inputs, architectures: Any) -> None:
    with pytest.raises(AotError):
        plan.make(with_config(inputs, architectures=architectures))
