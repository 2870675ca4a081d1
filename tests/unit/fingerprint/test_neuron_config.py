"""Stage 2: what the plugin and NxDI make of override_neuron_config, the platform and the environment."""

from __future__ import annotations

import pytest

from .support import ARGS, LLAMA, QWEN3, fingerprint, kind, neuron

MIXTRAL = {
    **QWEN3,
    "architectures": ["MixtralForCausalLM"],
    "model_type": "mixtral",
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
}


@pytest.mark.parametrize(
    "override",
    [
        [], "x", 5, {"cast_type": "nope"}, {"tp_degree": "4"}, {"cp_degree": 3}, {"cp_degree": 0},
        {"context_encoding_buckets": [4096]}, {"context_encoding_buckets": []}, {"token_generation_buckets": 5},
        {"quantized": True}, {"quantized": True, "quantized_checkpoints_path": "/q", "quantization_dtype": "f7"},
        {"torch_dtype": "torch.bfloat16"}, {"seq_len": None}, {"max_context_length": 4096}, {"max_length": "x"},
        {"attention_dtype": "float32"}, {"is_medusa": True, "async_mode": True}, {"speculation_length": "x"},
        {"attn_block_tkg_nki_kernel_enabled": True}, {"k_cache_transposed": True, "flash_decoding_enabled": True},
        {"attn_tkg_nki_kernel_enabled": True, "attn_tkg_builtin_kernel_enabled": True},
        {"qkv_cte_nki_kernel_fuse_rope": True}, {"rmsnorm_quantize_kernel_enabled": True},
        {"strided_context_parallel_kernel_enabled": True}, {"activation_quantization_type": "STATIC"},
        {"mlp_kernel_enabled": True, "activation_quantization_type": "dynamic"}, {"mlp_cp_degree": 2},
        {"quantized_mlp_kernel_enabled": True, "qkv_kernel_enabled": True}, {"is_full_model_shuffled": True},
        {"attention_dp_degree": 3}, {"attention_dp_degree": 0}, {"ep_dispatch_cc_option": "RS_AG", "tp_degree": 8},
        {"token_generation_batches": [64]}, {"token_generation_batches": []}, {"logical_nc_config": None},
        {"scratchpad_page_size": "x"}, {"lora_config": {"foo": 1}}, {"lora_config": True},
        {"tensor_capture_config": {}, "on_device_sampling_config": None}, {"chunked_prefill_config": [1]},
        {"kv_quant_config": {"k_quant_method": "per_tensor_symmetric"}}, {"enable_eagle_speculation": True},
        {"pa_num_blocks": 5, "is_block_kv_layout": True}, {"windowed_context_encoding_size": 5, "padding_side": None,
                                                           "seq_len": "x"},
    ],
)  # fmt: skip
def test_refused_overrides(override):
    assert kind(override=override) == "refused"


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ({"batch_size": 8}, {"batch_size": 8, "tkg_batch_size": 8, "kv_cache_batch_size": 8}),
        ({"world_size": 4}, {"world_size": 4, "local_ranks_size": 4, "tp_degree": 2}),
        ({"ep_degree": 2}, {"world_size": 4}),
        ({"max_context_length": 1024}, {"max_new_tokens": 1024}),
        ({"max_context_length": 2048.0}, {"max_context_length": 2048.0, "max_new_tokens": None}),
        ({"buckets": None, "fused_qkv": None}, {"buckets": None, "fused_qkv": None}),
        ({"context_encoding_buckets": [2048, 256]}, {"context_encoding_buckets": [256, 2048]}),
        ({"token_generation_batches": 2}, {"token_generation_batches": [2]}),
        ({"logical_neuron_cores": "2"}, {"logical_nc_config": 2, "lm_head_pad": True}),
        ({"mlp_kernel_enabled": True}, {"tile_cc": True}),
        ({"scratchpad_page_size": 511.9}, {"scratchpad_page_size": 511}),
        ({"on_device_sampling_config": [1]}, {"on_device_sampling_config": [1]}),
        ({"quantized": False, "quantization_type": "x"}, {"quantization_type": "x", "quantization_dtype": "int8"}),
        ({"activation_quantization_type": "dynamic", "fused_qkv": True}, {"fused_qkv": False}),
        ({"tensor_capture_config": {"auto_capture_moe_tensors": True}}, {"output_logits": True}),
        ({"is_mxfp4_compute": True}, {"is_hidden_dim_shuffled": True, "is_intermediate_dim_shuffled": True}),
    ],
)
def test_consequences(override, changed):
    found = neuron(override=override)
    assert {name: found[name] for name in changed} == changed


@pytest.mark.parametrize("override", [{}, None, {"nope": 5}, {"attn_cls": "Foo"}, {"text_neuron_config": {"a": 1}},
                                      {"draft_overrides": {"a": 1}}, {"chunked_prefill_config": {}},
                                      {"glu_mlp": False}, {"is_continuous_batching": True}])  # fmt: skip
def test_overrides_without_effect(override):
    assert fingerprint(override=override).md5 == fingerprint().md5


def test_the_override_of_the_platform_is_not_the_platform():
    """NxD up to 0.17: under the override inf2 the hardware enum has a member of its own."""
    cascaded = {
        "attention_dp_degree": 2,
        "attn_block_tkg_nki_kernel_enabled": True,
        "qkv_kernel_enabled": True,
        "attn_block_tkg_nki_kernel_cascaded_attention": True,
    }
    ask = {"override": cascaded, "tensor_parallel_size": 4, "max_num_seqs": 4}
    overridden = {"env": {"NEURON_PLATFORM_TARGET_OVERRIDE": "inf2"}, "platform": None}
    assert neuron(**ask)["kv_cache_padding_size"] == 1
    assert neuron(**ask, **overridden)["kv_cache_padding_size"] == 0
    assert neuron(**ask, env={"NEURON_PLATFORM_TARGET_OVERRIDE": "trn1"})["kv_cache_padding_size"] == 1
    assert neuron(**ask, **overridden, toolchain="sdk2.29.0")["kv_cache_padding_size"] == 1


@pytest.mark.parametrize(("platform", "cores"), [("inf2", 1), ("trn1", 1), ("trn1n", 1), ("trn2", 2), ("trn3", 2)])
def test_logical_cores_follow_the_platform(platform, cores):
    assert neuron(platform=platform)["logical_nc_config"] == cores


def test_logical_cores_environment_wins():
    lnc = {"NEURON_LOGICAL_NC_CONFIG": "1"}
    assert neuron(platform="trn2", env=lnc, override={"logical_nc_config": 2})["logical_nc_config"] == 1
    assert kind(env={"NEURON_LOGICAL_NC_CONFIG": "3"}) == "refused"
    assert kind(env={"NEURON_LOGICAL_NC_CONFIG": "x"}) == "refused"


def test_without_a_platform_there_is_no_answer():
    assert kind(platform=None) == "not_covered"
    assert kind(platform="trn9") == "not_covered"


def test_top_k_kernel_default_depends_on_the_release_and_the_chip():
    assert neuron(platform="trn2")["on_device_sampling_config"]["top_k_kernel_enabled"] is False
    newer = neuron(platform="trn2", toolchain="sdk2.29.0")["on_device_sampling_config"]
    assert newer["top_k_kernel_enabled"] is True


def test_deprecated_kernels_imply_others_in_the_newest_release():
    override = {"attn_tkg_nki_kernel_enabled": True}
    assert neuron(override=override)["attn_block_tkg_nki_kernel_enabled"] is False
    assert neuron(override=override, toolchain="sdk2.29.0")["attn_block_tkg_nki_kernel_enabled"] is True
    prefill = {"attn_block_cte_nki_kernel_enabled": True, "qkv_kernel_enabled": True}
    assert kind(override=prefill, toolchain="sdk2.29.0") == "refused"


def test_llama_padding_reaches_the_hash_from_0_8_on():
    padded = fingerprint(hf=LLAMA, override={"padded_hidden_size": 4224}).config
    assert (padded["hidden_size"], padded["original_hidden_size"]) == (4224, 4096)
    older = fingerprint(hf=LLAMA, override={"padded_hidden_size": 4224}, toolchain="sdk2.27.1").config
    assert older["hidden_size"] == 4096
    assert "original_hidden_size" not in older


def test_llama_flash_decoding_groups():
    flash = {"flash_decoding_enabled": True}
    assert fingerprint(hf=LLAMA, override=flash, tensor_parallel_size=16).config["num_cores_per_group"] == 2
    assert kind(hf=LLAMA, override=flash, tensor_parallel_size=4) == "refused"


def test_mixture_of_experts():
    plain = neuron(hf=MIXTRAL)
    assert plain["blockwise_matmul_config"]["logical_nc_config"]["_name_"] == "LNC_1"
    assert plain["blockwise_matmul_config"]["block_sharding_strategy"]["_name_"] == "HI_LO"
    assert plain["router_config"] == {"act_fn": "softmax", "dtype": "float32"}
    assert neuron(hf=MIXTRAL, override={"capacity_factor": "1.5"})["capacity_factor"] == 1.5
    assert neuron(hf=MIXTRAL, override={"blockwise_matmul_config": None})["blockwise_matmul_config"] is None
    for refused in ({"router_config": {"zz": 1}}, {"blockwise_matmul_config": {"block_sharding_strategy": "X"}},
                    {"capacity_factor": "x"}, {"router_dtype": "foo"}):  # fmt: skip
        assert kind(hf=MIXTRAL, override=refused) == "refused"
    assert kind(hf=MIXTRAL, enable_expert_parallel=True) == "ok"


def test_adapters_and_directories_are_outside():
    assert kind(override={"lora_config": {"lora_ckpt_paths": {"a": "/x"}}}) == "not_covered"
    directories = {"ref_dir": "/a", "neuron_dir": "/b", "tf_map": {}}
    assert kind(override={"tensor_replacement_config": directories}) == "not_covered"
    assert neuron(override={"lora_config": {"max_loras": -1}})["lora_config"]["max_loras"] == 0


@pytest.mark.parametrize("override", [{"tp_degree": "%1000000000d"}, {"tp_degree": 10**9, "pp_degree": "x" * 99},
                                      {"tkg_batch_size": "%1000000000d"}])  # fmt: skip
def test_strings_cannot_fill_the_memory(override):
    assert kind(override=override) == "refused"


def test_the_request_is_not_changed():
    override = {"context_encoding_buckets": [2048, 256], "quantized": False, "chunked_prefill_config": {}}
    args = {**ARGS, "additional_config": {"override_neuron_config": override}}
    fingerprint(**args)
    assert override == {"context_encoding_buckets": [2048, 256], "quantized": False, "chunked_prefill_config": {}}
