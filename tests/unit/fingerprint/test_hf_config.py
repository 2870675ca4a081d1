"""Stage 3: what transformers and NxDI make of config.json."""

from __future__ import annotations

import pytest

from .support import LLAMA, QWEN3, fingerprint, kind

QWEN2 = {**QWEN3, "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}
GPT_OSS = {
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    "num_hidden_layers": 4,
    "initial_context_length": 4096,
    "rope_theta": 150000,
}
QWEN3_MOE = {
    **QWEN3,
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "moe_intermediate_size": 768,
    "num_experts": 128,
    "num_experts_per_tok": 8,
}
DBRX = {
    "architectures": ["DbrxForCausalLM"],
    "model_type": "dbrx",
    "d_model": 6144,
    "n_heads": 48,
    "n_layers": 40,
    "attn_config": {"kv_n_heads": 8, "rope_theta": 500000},
    "ffn_config": {"moe_num_experts": 16},
    "transformers_version": "4.38.2",
}


def document(hf, **changes):
    return fingerprint(hf=hf, **changes).config


@pytest.mark.parametrize(
    "extra",
    [
        {"_name_or_path": "x"}, {"name_or_path": "x"}, {"_commit_hash": "x"}, {"attn_implementation": "eager"},
        {"_attn_implementation": "eager"}, {"dtype": "float16"}, {"torch_dtype": "float16"}, {"head_dim": 128},
        {"max_window_layers": 28}, {"sliding_window": 4096}, {"_auto_class": "x"}, {"base_model_tp_plan": {"a": "b"}},
        {"metadata": {"a": 1}}, {"num_cores_per_group": 9},
    ],
)  # fmt: skip
def test_keys_that_never_reach_the_hash(extra):
    hf = {**QWEN3, "head_dim": 128}
    assert fingerprint(hf={**hf, **extra}).md5 == fingerprint(hf=hf).md5


def test_key_order_is_irrelevant_and_number_spelling_is_not():
    assert fingerprint(hf=dict(reversed(QWEN3.items()))).md5 == fingerprint().md5
    assert fingerprint(hf={**QWEN3, "rope_theta": 1000000.0}).md5 != fingerprint().md5


def test_defaults_fill_in():
    found = document({key: value for key, value in QWEN3.items() if key not in ("head_dim", "transformers_version")})
    assert found["head_dim"] == 128
    assert found["transformers_version"] == "4.57.6"
    assert found["top_k"] == 50


def test_a_missing_dtype_is_a_key_of_its_own():
    without = {key: value for key, value in QWEN3.items() if key != "torch_dtype"}
    assert document(without)["dtype"] is None
    assert "dtype" not in document(QWEN3)


def test_labels_and_heads_have_integer_keys():
    twelve = fingerprint(hf={**QWEN3, "num_labels": 12}).canonical_json
    assert twelve.index('"2": "LABEL_2"') < twelve.index('"10": "LABEL_10"')
    assert document({**QWEN3, "pruned_heads": {"10": [1], "2": [0]}})["pruned_heads"] == {"2": [0], "10": [1]}
    assert document({**QWEN3, "id2label": {"0": "a"}})["label2id"] is None


def test_unused_sliding_window_is_dropped_and_layer_types_added():
    off = document({**QWEN2, "sliding_window": 131072})
    assert off["sliding_window"] is None
    assert off["layer_types"] == ["full_attention"] * 4
    on = document({**QWEN2, "sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 1})
    assert on["layer_types"] == ["full_attention"] + ["sliding_attention"] * 3


def test_qwen2_has_biases_and_llama_derives():
    assert document(QWEN2)["qkv_bias"] is True
    bare = {key: value for key, value in LLAMA.items() if key not in ("head_dim", "num_key_value_heads")}
    assert (document(bare)["head_dim"], document(bare)["num_key_value_heads"]) == (128, 32)


def test_legacy_rope_type_is_copied():
    scaling = {"type": "yarn", "factor": 4.0}
    assert document({**QWEN3, "rope_scaling": scaling})["rope_scaling"] == {**scaling, "rope_type": "yarn"}
    assert scaling == {"type": "yarn", "factor": 4.0}


def test_qwen3_moe_takes_the_width_of_its_experts():
    found = document(QWEN3_MOE)
    assert (found["intermediate_size"], found["num_local_experts"], found["n_shared_experts"]) == (768, 128, 0)
    sharded = {"blockwise_matmul_config": {"use_shard_on_intermediate_dynamic_while": True}, "moe_tp_degree": 8}
    padded = document(QWEN3_MOE, override=sharded)
    assert (padded["moe_intermediate_size"], padded["moe_intermediate_pad_size"]) == (2048, 1280)


def test_gpt_oss_constants():
    found = document({**GPT_OSS, "pad_token_id": 1})
    assert (found["hidden_act"], found["original_hidden_size"], found["rope_scaling_factor"]) == ("sigmoid", 2880, 32.0)
    assert kind(hf={key: value for key, value in GPT_OSS.items() if key != "initial_context_length"}) == "refused"
    assert kind(hf=GPT_OSS, override={"padded_hidden_size": 1}) == "refused"


def test_gpt_oss_without_rope_scaling_shows_the_default_that_vllm_has_changed():
    """vLLM writes rope_theta into the class default, and NxDI's second load of the configuration finds it there."""
    assert document(GPT_OSS)["rope_scaling"]["rope_theta"] == 150000
    given = {"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0}
    assert document({**GPT_OSS, "rope_scaling": given})["rope_scaling"] == given
    assert "rope_theta" not in document({**GPT_OSS, "rope_theta": None})["rope_scaling"]  # the profile is unchanged


def test_dbrx_has_nested_configurations_and_aliases():
    found = document({**DBRX, "hidden_size": 1024})
    assert found["d_model"] == 1024
    assert found["attribute_map"]["hidden_size"] == "d_model"
    assert found["num_key_value_heads"] == found["attn_config"]["kv_n_heads"] == 8
    assert found["ffn_config"]["ffn_act_fn"] == {"name": "silu"}
    assert found["attn_config"]["transformers_version"] == "4.38.2"
    assert found["neuron_config"]["fused_qkv"] is True
    assert kind(hf={**DBRX, "ffn_config": {"zz": 1}}) == "refused"
    assert kind(hf={**DBRX, "tie_word_embeddings": True}) == "refused"


@pytest.mark.parametrize(
    "changes",
    [
        {"neuron_config": {}}, {"add_derived_config": 1}, {"quantization_config": None}, {"quantization_config": "x"},
        {"rope_scaling": "yarn"}, {"rope_scaling": {}}, {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        {"rope_parameters": {"a": 1}}, {"layer_types": ["bad"]}, {"layer_types": ["full_attention"]},
        {"id2label": []}, {"id2label": {"x": "a"}}, {"pruned_heads": {"x": [1]}}, {"num_labels": "5"},
        {"problem_type": "x"}, {"torch_dtype": "float99"}, {"dtype": [1]}, {"model_type": "nope"},
        {"num_key_value_heads": 0}, {"num_hidden_layers": "4"}, {"auto_map": None}, {"attention_chunk_size": "x"},
        {"is_encoder_decoder": "x"}, {"hidden_size": None, "head_dim": None},
    ],
)  # fmt: skip
def test_refused_configurations(changes):
    assert kind(hf={**QWEN3, **changes}) == "refused"


@pytest.mark.parametrize("changes", [{"to_dict": 1}, {"model_type": "phi3"}])
def test_configurations_outside_the_rules(changes):
    assert kind(hf={**QWEN3, **changes}) == "not_covered"


@pytest.mark.parametrize("name", ["text_config", "llm_config", "text_encoder", "decoder", "generator"])
def test_a_nested_text_configuration_is_refused(name):
    assert kind(hf={**QWEN3, name: {"hidden_size": 8}}) == "refused"
    assert kind(hf={**QWEN3, name: None}) == "ok"
    assert kind(hf_overrides={name: {"hidden_size": 8}}) == ("ok" if name == "llm_config" else "refused")


@pytest.mark.parametrize("name", ["vision_config", "encoder_config", "thinker_config", "audio_config"])
def test_other_nested_configurations_are_hashed_as_they_are(name):
    assert fingerprint(hf={**QWEN3, name: {"hidden_size": 8}}).config[name] == {"hidden_size": 8}
    assert fingerprint(hf_overrides={name: {"a": 1}}).md5 == fingerprint().md5


def test_speculators_models_are_not_guessed():
    assert kind(hf={**QWEN3, "speculators_config": {}}) == "refused"
    eagle = {"speculators_config": {"algorithm": "eagle3"}, "speculators_model_type": "eagle3"}
    assert kind(hf={**QWEN3, **eagle}) == "not_covered"


def test_what_depends_on_the_pod_or_on_foreign_code_is_outside():
    offline = {"HF_HUB_OFFLINE": "1"}
    assert kind(env=offline, model_dir="Qwen/Qwen3-8B") == "not_covered"
    assert kind(env=offline) == "ok"
    own_class = {**QWEN3, "auto_map": {"AutoConfig": "configuration_x.X"}}
    assert kind(hf=own_class, trust_remote_code=True) == "not_covered"
    assert kind(hf=own_class) == "ok"


@pytest.mark.parametrize("changes", [{"num_hidden_layers": 10**12}, {"num_labels": 10**12}])
def test_sizes_that_would_fill_the_memory(changes):
    assert kind(hf={**QWEN3, **changes}) == "not_covered"


def test_the_length_of_layer_types_is_compared_from_transformers_4_57_on():
    short = {**QWEN3, "layer_types": ["full_attention"]}
    assert kind(hf=short) == "refused"
    assert kind(hf=short, toolchain="sdk2.27.1") == "ok"


def test_without_model_type_the_path_decides():
    bare = {key: value for key, value in QWEN3.items() if key != "model_type"}
    assert kind(hf=bare, model_dir="/weights/Q") == "refused"
    assert fingerprint(hf=bare, model_dir="/weights/qwen3-8b").config["model_type"] == "qwen3"
