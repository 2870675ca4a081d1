"""Parameter counts against the published ones, and the memory arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aot import instances, parameters, resources, sizing, toolchain
from aot.errors import AotError, ErrorId
from aot.request import BuildRequest, ServeOptions, Target
from tests.support.models import CONFIGS

LNC: dict[Target, int] = {"inf2": 1, "trn1": 1, "trn2": 2}
DEMO = ServeOptions(max_model_len=2048, max_num_seqs=1, dtype="bfloat16", block_size=32, enable_prefix_caching=False)

# num_parameters() of the published checkpoints.
PUBLISHED = {
    "Qwen/Qwen3-8B": 8_190_735_360,
    "Qwen/Qwen3-0.6B": 596_049_920,
    "Qwen/Qwen2.5-1.5B-Instruct": 1_543_714_304,
    "Qwen/Qwen2.5-7B-Instruct": 7_615_616_512,
    "Qwen/Qwen2.5-14B-Instruct": 14_770_033_664,
    "meta-llama/Llama-3.1-8B-Instruct": 8_030_261_248,
    "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
    "meta-llama/Llama-3.1-70B-Instruct": 70_553_706_496,
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": 1_100_048_384,
    "mistralai/Mistral-7B-Instruct-v0.3": 7_248_023_552,
    "mistralai/Mixtral-8x7B-Instruct-v0.1": 46_702_792_704,
    "Qwen/Qwen3-30B-A3B": 30_532_122_624,
    "openai/gpt-oss-20b": 20_914_757_184,
}


@pytest.mark.parametrize(("model", "published"), PUBLISHED.items())
def test_parameters_are_counted_exactly(model: str, published: int) -> None:
    assert parameters.count(CONFIGS[model]) == published


def test_biases_and_dense_layers_follow_the_config() -> None:
    llama = CONFIGS["meta-llama/Llama-3.1-8B-Instruct"]
    with_bias = parameters.count({**llama, "attention_bias": True, "mlp_bias": True})
    plain = parameters.count(llama)
    assert with_bias is not None
    assert plain is not None
    assert with_bias - plain == 32 * ((4096 + 2 * 1024 + 4096) + (2 * 14336 + 4096))
    moe = CONFIGS["Qwen/Qwen3-30B-A3B"]
    one_dense = parameters.count({**moe, "mlp_only_layers": [0]})
    sparse = parameters.count(moe)
    assert one_dense is not None
    assert sparse is not None
    assert sparse - one_dense == 128 * 3 * 2048 * 768 + 128 * 2048 - 3 * 2048 * 6144


@pytest.mark.parametrize("config", [{}, {"model_type": "mamba"}, {"model_type": "llama", "hidden_size": "big"}])
def test_what_cannot_be_counted_is_not_guessed(config: dict[str, Any]) -> None:
    assert parameters.count(config) is None
    assert sizing.estimate(config, ServeOptions(tensor_parallel_size=2), "inf2", 1) is None
    with pytest.raises(AotError) as problem:
        sizing.smallest_tensor_parallel(config, DEMO, "inf2", 1)
    assert problem.value.error_id is ErrorId.NOT_COVERED


@pytest.mark.parametrize(
    ("model", "target", "degree"),
    [
        ("Qwen/Qwen3-8B", "inf2", 2),
        ("Qwen/Qwen3-8B", "trn1", 2),
        ("Qwen/Qwen3-8B", "trn2", 1),
        ("Qwen/Qwen3-0.6B", "inf2", 1),
        ("meta-llama/Llama-3.1-8B-Instruct", "inf2", 2),
        ("Qwen/Qwen2.5-14B-Instruct", "inf2", 4),
        ("Qwen/Qwen2.5-14B-Instruct", "trn1", 8),  # no TP 4: two devices are not given out
        ("Qwen/Qwen2.5-7B-Instruct", "inf2", 2),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "inf2", 8),
        ("openai/gpt-oss-20b", "inf2", 4),
        ("meta-llama/Llama-3.1-70B-Instruct", "inf2", 16),
        ("meta-llama/Llama-3.1-70B-Instruct", "trn2", 8),
    ],
)
def test_the_smallest_degree_that_fits(model: str, target: Target, degree: int) -> None:
    found = sizing.smallest_tensor_parallel(CONFIGS[model], DEMO, target, LNC[target])
    assert found.tensor_parallel_size == degree
    assert found.fits
    assert CONFIGS[model]["num_attention_heads"] % degree == 0


def test_the_numbers_of_the_demo() -> None:
    found = sizing.smallest_tensor_parallel(CONFIGS["Qwen/Qwen3-8B"], DEMO, "inf2", 1)
    assert found.weight_bytes == 2 * 8_190_735_360
    assert found.kv_cache_bytes == 2 * 36 * 8 * 128 * 2048 * 2
    assert found.per_core_bytes == int(1.10 * (found.weight_bytes + found.kv_cache_bytes) / 2) + (1 << 30)
    assert found.core_memory_bytes == 16 << 30
    assert found.instance == "inf2.xlarge"
    assert "estimate" in found.summary()
    assert "8.19 billion" in found.summary()


@pytest.mark.parametrize(
    ("degree", "heads"), [(1, 8), (2, 8), (8, 8), (16, 16), (32, 32), (12, 36)], ids=lambda value: str(value)
)
def test_kv_heads_are_replicated_as_upstream_does(degree: int, heads: int) -> None:
    shape = parameters.shape_of(CONFIGS["Qwen/Qwen3-8B"])
    assert shape is not None
    assert sizing.kv_cache_bytes(shape, DEMO, degree, 2) == 2 * 36 * heads * 128 * 2048 * 2


def test_more_tokens_and_wider_types_need_more() -> None:
    long = ServeOptions(max_model_len=32768, max_num_seqs=16, dtype="bfloat16")
    assert sizing.smallest_tensor_parallel(CONFIGS["Qwen/Qwen3-8B"], long, "inf2", 1).tensor_parallel_size > 4
    wide = ServeOptions(max_model_len=2048, max_num_seqs=1, dtype="float32")
    assert sizing.smallest_tensor_parallel(CONFIGS["Qwen/Qwen3-8B"], wide, "inf2", 1).tensor_parallel_size == 4


def test_what_fits_nowhere_is_refused_with_numbers() -> None:
    huge = ServeOptions(max_model_len=1 << 20, max_num_seqs=64, dtype="bfloat16")
    with pytest.raises(AotError) as problem:
        sizing.smallest_tensor_parallel(CONFIGS["meta-llama/Llama-3.1-70B-Instruct"], huge, "inf2", 1)
    assert problem.value.error_id is ErrorId.DOES_NOT_FIT
    assert "TiB of 16.0 GiB per core" in problem.value.reason
    assert problem.value.facts["estimates"]


def test_degrees_are_those_that_instances_offer() -> None:
    assert sizing.degrees("inf2", 1) == (1, 2, 4, 8, 12, 16, 24)
    assert sizing.degrees("trn1", 1) == (1, 2, 8, 16, 32)
    assert sizing.degrees("trn2", 2) == (1, 2, 4, 8, 16, 32, 64)
    assert sizing.degrees("trn2", 1)[-1] == 128


def test_a_degree_beyond_every_instance_is_refused() -> None:
    sizing.check_cores(ServeOptions(tensor_parallel_size=24), "inf2", 1)
    with pytest.raises(AotError) as problem:
        sizing.check_cores(ServeOptions(tensor_parallel_size=32), "inf2", 1)
    assert problem.value.error_id is ErrorId.DOES_NOT_FIT
    assert "inf2.48xlarge" in problem.value.reason
    sizing.check_cores(ServeOptions(tensor_parallel_size=128), "trn2", 1)
    with pytest.raises(AotError, match="has 64 logical ones"):
        sizing.check_cores(ServeOptions(tensor_parallel_size=128), "trn2", 2)


@pytest.mark.parametrize(
    ("target", "variable", "override", "expected"),
    [
        ("inf2", None, None, 1),
        ("trn2", None, None, 2),
        ("trn2", 1, None, 1),
        ("inf2", 2, None, 2),
        ("trn2", None, 1, 1),
        ("trn2", 2, 1, 2),  # the variable wins
        ("trn2", None, "x", 2),
        ("trn2", None, -1, 2),
    ],
)
def test_logical_cores_follow_the_variable_then_the_override_then_the_release(
    target: Target, variable: int | None, override: Any, expected: int
) -> None:
    given = None if override is None else {"override_neuron_config": {"logical_nc_config": override}}
    request = BuildRequest("m", target, ServeOptions(additional_config=given), logical_nc_config=variable)
    assert sizing.logical_nc(request, toolchain.load("sdk2.28.0")) == expected


def test_memory_per_core() -> None:
    memory = {found.instance_type: found.core_memory(1) >> 30 for found in instances.instances()}
    assert {memory[name] for name in memory if not name.startswith("trn2")} == {16}
    (trn2, _) = instances.of_target("trn2")
    assert trn2.core_memory(2) >> 30 == 24
    assert trn2.logical_cores(2) == 64


@pytest.mark.parametrize(
    ("content", "named"), [(b"{", "truncated"), (b'{"about": "x", "instances": [{"target": "inf3"}]}', "instances[0]")]
)
def test_a_damaged_table_names_file_and_field(
    content: bytes, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "instances.json").write_bytes(content)
    monkeypatch.setattr(resources, "manifests", lambda: tmp_path)
    with pytest.raises(AotError) as problem:
        instances.instances.__wrapped__()
    assert problem.value.error_id is ErrorId.MANIFEST_DAMAGED
    assert "instances.json" in problem.value.reason
    assert named in problem.value.reason
