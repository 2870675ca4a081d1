"""Malformed configs: the count is unknown, the reason is told, and nothing takes long."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aot import parameters, sizing
from aot.compile import prediction
from aot.errors import AotError, ErrorId
from aot.request import ServeOptions
from aot.toolchain import load
from tests.support.models import CONFIGS

OPTIONS = ServeOptions(max_model_len=2048, max_num_seqs=1)
MOE = CONFIGS["Qwen/Qwen3-30B-A3B"]
KEYS = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "intermediate_size",
    "vocab_size",
    "num_experts",
    "num_local_experts",
    "moe_intermediate_size",
    "decoder_sparse_step",
    "mlp_only_layers",
    "tie_word_embeddings",
    "attention_bias",
    "text_config",
    "model_type",
)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from([2**70, 10**9, -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("value", ["8", [8], {"x": 8}, float("nan"), float("inf"), -1, 0, True, 8.5, 2**70])
@pytest.mark.parametrize(
    "key", ["num_key_value_heads", "head_dim", "num_local_experts", "moe_intermediate_size", "decoder_sparse_step"]
)
def test_a_malformed_extent_is_named_with_its_value(key: str, value: Any) -> None:
    config = {**MOE, key: value}
    if (key, value) == ("num_local_experts", 0):
        return  # no such experts: num_experts counts
    assert parameters.count(config) is None
    assert sizing.estimate(config, ServeOptions(tensor_parallel_size=2), "inf2", 1) is None
    with pytest.raises(AotError) as problem:
        sizing.smallest_tensor_parallel(config, OPTIONS, "inf2", 1)
    assert problem.value.error_id is ErrorId.NOT_COVERED
    assert f"{key} is {str(value)[:20] if not isinstance(value, str) else repr(value)}" in problem.value.reason


@pytest.mark.parametrize("value", ["x", 3, {"a": 1}, [None], [[1]], ["0"]])
def test_dense_layers_must_be_numbers(value: Any) -> None:
    assert parameters.count({**MOE, "mlp_only_layers": value}) is None
    assert "mlp_only_layers" in str(parameters.problem({**MOE, "mlp_only_layers": value}))


def test_null_means_the_default_where_transformers_has_one() -> None:
    plain = {name: value for name, value in MOE.items() if name not in ("mlp_only_layers", "decoder_sparse_step")}
    nulls = {**plain, "mlp_only_layers": None, "decoder_sparse_step": None, "num_local_experts": None}
    assert parameters.count(nulls) == parameters.count(MOE)
    assert parameters.problem(MOE) is None


@pytest.mark.parametrize(("step", "dense"), [(1, []), (2, []), (3, [2, 2, 5, 7]), (7, [-1, 6, 10**6]), (99, [0])])
def test_sparse_layers_are_those_upstream_loops_over(step: int, dense: list[int]) -> None:
    """As ``Qwen3MoeDecoderLayer.__init__`` asks for each layer, against the arithmetic."""
    layers = MOE["num_hidden_layers"]
    sparse = sum(layer not in dense and (layer + 1) % step == 0 for layer in range(layers))
    none, all_of_them = parameters.count({**MOE, "num_experts": 0}), parameters.count(MOE)
    found = parameters.count({**MOE, "decoder_sparse_step": step, "mlp_only_layers": dense})
    assert none is not None
    assert all_of_them is not None
    assert found == none + (all_of_them - none) // layers * sparse


@pytest.mark.parametrize("layers", [10_001, 10**9, 2**70])
def test_a_huge_number_of_layers_costs_nothing(layers: int) -> None:
    start = time.monotonic()
    assert parameters.count({**MOE, "num_hidden_layers": layers}) is None
    assert time.monotonic() - start < 1


def test_a_head_without_width_is_no_division_by_zero() -> None:
    config = {**CONFIGS["meta-llama/Llama-3.1-8B-Instruct"], "hidden_size": 16, "head_dim": None}
    assert parameters.shape_of(config) is None
    assert "num_attention_heads" in str(parameters.problem(config))


def test_absurd_lengths_give_no_estimate() -> None:
    options = ServeOptions(tensor_parallel_size=2, max_model_len=10**400, max_num_seqs=1)
    assert sizing.estimate(MOE, options, "inf2", 1) is None


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(CONFIGS)), st.dictionaries(st.sampled_from(KEYS), junk, min_size=1, max_size=4))
def test_no_config_makes_planning_fall_over(model: str, changes: dict[str, Any]) -> None:
    config = {**CONFIGS[model], **changes}
    found = parameters.count(config)
    assert found is None or found > 0
    assert (parameters.problem(config) is None) or found is None
    options = ServeOptions(tensor_parallel_size=3, max_model_len=2048, max_num_seqs=1)
    prediction.risks(config, options, "inf2", load("sdk2.28.0"), 1)
    assert json.dumps(prediction.warnings(config, options, "inf2", 1))
    try:
        smallest = sizing.smallest_tensor_parallel(config, OPTIONS, "inf2", 1)
    except AotError:
        return
    assert smallest.fits
