"""Stage 1: flags, defaults, conversions and refusals of vLLM and the Neuron platform class."""

from __future__ import annotations

import pytest

from .support import QWEN3, fingerprint, kind, neuron

NATIVE = {"DISABLE_NEURON_CUSTOM_SCHEDULER": "1"}


def test_prefix_caching_is_on_unless_turned_off():
    assert neuron(enable_prefix_caching=...)["is_prefix_caching"] is True
    assert kind(enable_prefix_caching=..., block_size=...) == "refused"


def test_block_size_becomes_the_length_without_prefix_caching():
    assert neuron(block_size=16)["pa_block_size"] == 2048
    assert neuron(block_size=...)["pa_block_size"] == 2048
    assert neuron(block_size=16, enable_prefix_caching=True)["pa_block_size"] == 16


def test_the_null_block_is_added_to_the_override():
    assert neuron(num_gpu_blocks_override=128)["pa_num_blocks"] == 129
    assert neuron()["pa_num_blocks"] == 2


def test_blocks_are_counted_down_and_validated_up():
    assert neuron(enable_prefix_caching=True)["pa_num_blocks"] == 128
    assert kind(enable_prefix_caching=True, max_model_len=2049) == "refused"
    assert neuron(enable_prefix_caching=True, max_model_len=2049, num_gpu_blocks_override=130)["pa_num_blocks"] == 131


def test_sequences_default_to_256_and_never_exceed_the_token_budget():
    assert neuron(max_num_seqs=...)["batch_size"] == 256
    assert neuron(max_num_seqs=..., max_num_batched_tokens=100)["batch_size"] == 100
    assert kind(max_num_seqs=2049) == "refused"
    assert neuron(max_num_seqs=2049, max_num_batched_tokens=4096)["batch_size"] == 2049


def test_the_native_scheduler_needs_a_chunked_prefill_configuration():
    assert kind(env=NATIVE) == "refused"
    assert kind(env=NATIVE, block_size=..., enable_chunked_prefill=False) == "refused"
    chunked = {"chunked_prefill_config": {"max_num_seqs": 2}}
    served = neuron(env=NATIVE, override=chunked, max_model_len=32768)
    assert (served["batch_size"], served["max_context_length"]) == (1, 2048)
    offline = neuron(env=NATIVE, override=chunked, max_model_len=32768, usage="LLM_CLASS")
    assert offline["max_context_length"] == 8192


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_model_len", ...), ("max_model_len", None), ("max_model_len", 0), ("max_model_len", "8k"),
        ("max_model_len", 2048.5), ("max_num_seqs", 0), ("max_num_seqs", 2.5), ("dtype", "bf16"), ("dtype", None),
        ("tensor_parallel_size", "2"), ("tensor_parallel_size", None), ("tensor_parallel_size", 2.5),
        ("pipeline_parallel_size", 2), ("pipeline_parallel_size", "1"), ("data_parallel_size", 0),
        ("enable_prefix_caching", "maybe"), ("enable_chunked_prefill", 2), ("num_gpu_blocks_override", "x"),
        ("additional_config", None), ("additional_config", []), ("hf_overrides", "x"), ("seed", "x"), ("seed", None),
        ("gpu_memory_utilization", 1.5), ("quantization", "neuron_quant"), ("quantization", "fbgemm_fp8"),
        ("enable_sleep_mode", True), ("max_seq_len_to_capture", 4096), ("enable_expert_parallel", True),
        ("served_model_name", 5), ("kv_cache_dtype", "x"), ("max_num_partial_prefills", 2),
    ],
)  # fmt: skip
def test_refused_by_vllm(field, value):
    assert kind(**{field: value}) == "refused"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_model_len", "2048"), ("max_model_len", 2048.0), ("max_num_seqs", 2.0), ("tensor_parallel_size", 2.0),
        ("enable_prefix_caching", "off"), ("enable_prefix_caching", 0), ("seed", "7"), ("swap_space", 8),
        ("served_model_name", ["a", "b"]), ("async_scheduling", None), ("scheduling_policy", "priority"),
        ("quantization", "FP8"), ("load_format", "dummy"), ("max_num_batched_tokens", 4096),
        ("enable_chunked_prefill", False), ("data_parallel_size", 2), ("hf_overrides", {"rope_theta": 5}),
        ("additional_config", {"foo": 1}), ("compilation_config", {"level": 0}),
        ("speculative_config", {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4}),
    ],
)  # fmt: skip
def test_accepted_without_effect(field, value):
    assert fingerprint(**{field: value}).md5 == fingerprint().md5


@pytest.mark.parametrize("field", ["enable_lora", "kv_transfer_config", "speculative_config"])
def test_outside_the_rules(field):
    given = {"method": "eagle", "model": "/models/head"}
    assert kind(**{field: given}) == "not_covered"
    assert kind(**{field: given, "max_model_len": ...}) == "refused"  # a sure refusal comes first


def test_releases_convert_parallel_sizes_at_different_moments():
    assert kind(tensor_parallel_size="2", toolchain="sdk2.28.0") == "refused"
    assert kind(tensor_parallel_size="2", toolchain="sdk2.29.0") == "ok"


@pytest.mark.parametrize(
    ("given", "declared", "resolved"),
    [
        ("auto", "bfloat16", "bfloat16"), ("auto", "float16", "float16"), ("auto", "float32", "bfloat16"),
        ("auto", None, "bfloat16"), ("auto", "float8_e4m3fn", "bfloat16"), ("half", "bfloat16", "float16"),
        ("float", "bfloat16", "float32"),
    ],
)  # fmt: skip
def test_dtype(given, declared, resolved):
    assert neuron(hf={**QWEN3, "torch_dtype": declared}, dtype=given)["torch_dtype"] == resolved


def test_hf_overrides_reach_the_hash_through_the_architecture_only():
    assert fingerprint(hf_overrides={"hidden_size": 8}).md5 == fingerprint().md5
    llama = fingerprint(hf_overrides={"architectures": ["LlamaForCausalLM"]})
    assert llama.model_class == "NeuronLlamaForCausalLM"
    assert kind(hf_overrides={"architectures": ["MistralForCausalLM"]}) == "refused"


@pytest.mark.parametrize("architectures", [None, [], ["MistralForCausalLM"], ["Phi3ForCausalLM"], "Qwen3ForCausalLM"])
def test_unsupported_architectures(architectures):
    assert kind(hf={**QWEN3, "architectures": architectures}) == "refused"


def test_prompt_length():
    assert neuron(additional_config={"max_prompt_length": 512})["max_context_length"] == 512
    assert kind(additional_config={"max_prompt_length": 4096}) == "refused"
    conflict = {"max_prompt_length": 512, "override_neuron_config": {"max_context_length": 256}}
    assert kind(additional_config=conflict) == "refused"


@pytest.mark.parametrize(
    ("config", "answer"),
    [
        ({"method": "ngram", "num_speculative_tokens": 3}, "ok"),
        ({"model": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4}, "ok"),
        ({"method": "ngram", "num_speculative_tokens": "3", "prompt_lookup_max": None}, "ok"),
        ({"method": "ngram", "num_speculative_tokens": 3, "disable_by_batch_size": 4}, "ok"),
        ({"method": "ngram"}, "refused"), ({}, "refused"), ({"num_speculative_tokens": 3}, "refused"),
        ({"method": "ngram", "num_speculative_tokens": 0}, "refused"),
        ({"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 0}, "refused"),
        ({"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 2, "prompt_lookup_min": 4}, "refused"),
        ({"method": "eagle", "num_speculative_tokens": 3}, "refused"), ({"method": "medusa"}, "refused"),
        ({"method": "nope", "num_speculative_tokens": 3}, "refused"),
        ({"model": "/models/draft", "num_speculative_tokens": 3}, "not_covered"),
        ({"method": "suffix"}, "not_covered"), ({"method": "mtp", "num_speculative_tokens": 1}, "refused"),
        ({"method": "ngram", "num_speculative_tokens": 3, "nope": 1}, "not_covered"),
    ],
)  # fmt: skip
def test_speculation(config, answer):
    assert kind(speculative_config=config) == answer


@pytest.mark.parametrize(
    ("method", "declared", "dtypes"),
    [
        ("awq", {"bits": 4, "group_size": 128, "zero_point": True}, {"float16"}),
        ("awq", {"bits": 8, "group_size": 128, "zero_point": True}, set()), ("awq", {"bits": 4}, set()),
        ("gptq", {"bits": 8, "group_size": 128, "desc_act": False}, {"float16"}), ("gptq", {"bits": 5}, set()),
        ("gptq", {"bits": 5, "group_size": 128, "desc_act": False}, set()),
        ("fp8", {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]},
         {"bfloat16", "float16"}),
        ("fp8", {"quant_method": "fp8", "activation_scheme": "static", "weight_block_size": [128, 128]}, set()),
        ("fp8", {"quant_method": "awq"}, set()), ("mxfp4", {"quant_method": "mxfp4"}, {"bfloat16"}),
        ("bitsandbytes", {"quant_method": "awq"}, {"bfloat16", "float16", "float32"}),
    ],
)  # fmt: skip
def test_quantization_of_a_quantized_checkpoint(method, declared, dtypes):
    hf = {**QWEN3, "quantization_config": declared}
    accepted = {d for d in ("bfloat16", "float16", "float32") if kind(hf=hf, quantization=method, dtype=d) == "ok"}
    assert accepted == dtypes
    if dtypes:
        dtype = min(dtypes)
        assert fingerprint(hf=hf, quantization=method, dtype=dtype).md5 == fingerprint(hf=hf, dtype=dtype).md5


def test_quantization_methods_that_are_not_modelled():
    assert kind(hf={**QWEN3, "quantization_config": {"bits": 4}}, quantization="moe_wna16") == "not_covered"


@pytest.mark.parametrize("toolchain", ["sdk2.28.0", "sdk2.29.0"])
def test_nested_flags_with_known_values_have_no_effect(toolchain):
    for config in ({"level": 1}, {"cudagraph_mode": "NONE"}, {"mode": 0, "backend": "eager"}):
        assert fingerprint(compilation_config=config, toolchain=toolchain).md5 == fingerprint(toolchain=toolchain).md5
    assert kind(compilation_config={"cudagraph_mode": "nope"}, toolchain=toolchain) == "not_covered"
    assert kind(structured_outputs_config={"backend": "xgrammar"}, toolchain=toolchain) == "ok"
