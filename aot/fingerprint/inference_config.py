"""Stage 3b: NxDI's InferenceConfig, the object whose JSON is hashed.

Mirrors ``InferenceConfig.__init__`` (neuronx-distributed-inference 0.7 / 0.8 / 0.9, models/config.py) with the hook of
``load_pretrained_config`` (utils/hf_adapter.py), and the classes derived from it (models/<type>/modeling_<type>.py).
Which rules a class has, and which attributes it requires, is data in the profile (``model_classes``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from aot.fingerprint import hf_config, neuron_config, neuron_moe, neuron_parallel
from aot.fingerprint.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aot.fingerprint.hf_config import HfConfig
    from aot.fingerprint.platform import Platform

_SHARD_WIDTH = 256  # SHARD_ON_INTERMEDIATE_DIMENSION_PER_TP
_FUSED_KERNEL_WIDTH = 128  # MOE_TKG_MK_INTERMEDIATE_PER_TP
_CHUNKED_ATTENTION_ONLY_WITH = {
    "flash_decoding_enabled": False,
    "attn_tkg_builtin_kernel_enabled": False,
    "attn_tkg_nki_kernel_enabled": False,
    "is_prefix_caching": False,
    "is_chunked_prefill": False,
    "padding_side": "right",
    "attention_dp_degree": 1,
}


def neuron(
    model: Mapping[str, Any], arguments: Mapping[str, Any], platform: Platform, profile: Mapping[str, Any]
) -> dict[str, Any]:
    """Attributes of the model's NeuronConfig class."""
    builder = neuron_moe.build if model["mixture_of_experts"] else neuron_config.build
    config = builder(arguments, platform, profile)
    config.update(model["neuron_config_sets"])
    for name, default in model["neuron_config_extra"].items():
        config[name] = arguments.get(name, default)
        neuron_parallel.validate_data_parallel(config, config[name])
    return config


def build(
    model: Mapping[str, Any], neuron_attributes: dict[str, Any], hf: HfConfig, profile: Mapping[str, Any]
) -> dict[str, Any]:
    """The document: attributes of the configuration object by name, nested objects as dicts."""
    loaded = hf_config.to_dict(hf, profile["transformers"])
    _refuse_shadowed(loaded, model)
    _adopt_dtype(neuron_attributes, hf.dtype, profile)
    config: dict[str, Any] = {
        "neuron_config": neuron_attributes,
        "fused_spec_config": None,
        **model["set_before_loading"],
        **loaded,
        **model["set_after_loading"],
    }
    config["attribute_map"] = hf.attribute_map
    aliases = hf.attribute_map
    for rule in model["derived"]:
        RULES[rule](config, neuron_attributes)
    missing = [name for name in model["required"] if aliases.get(name, name) not in config]
    if missing:
        raise Refused(f"config.json lacks {', '.join(missing)}, which NxDI requires", "complete config.json")
    for rule in model["validated"]:
        RULES[rule](config, neuron_attributes)
    for rule in model["finished"]:
        RULES[rule](config, neuron_attributes)
    return config


def _refuse_shadowed(loaded: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Keys of config.json land in the object's ``__dict__``, where they hide what the constructor needs next."""
    if "neuron_config" in loaded:
        raise Refused("config.json has a key neuron_config, which replaces NxDI's own object", "remove that key")
    shadowed = [name for name in model["methods"] if name in loaded]
    if shadowed:
        raise Refused(f"config.json has the key {shadowed[0]}, which hides a method of NxDI", "remove that key")


def _adopt_dtype(neuron_attributes: dict[str, Any], dtype: Any, profile: Mapping[str, Any]) -> None:
    """``overrides_torch_dtype`` false: the model's own dtype replaces the one vLLM resolved."""
    if dtype is not None and not neuron_attributes["overrides_torch_dtype"]:
        neuron_attributes["torch_dtype"] = neuron_config.as_dtype(dtype, profile)


def _one_core_per_group(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    config["num_cores_per_group"] = 1


def _flash_decoding_groups(config: dict[str, Any], neuron: Mapping[str, Any]) -> None:
    """``calculate_num_cores_per_group`` (modules/flashdecode/utils.py): an exact division or a refusal."""
    if not neuron["flash_decoding_enabled"]:
        return
    cores = min(neuron["tp_degree"], config["num_attention_heads"])
    if cores % config["num_key_value_heads"] != 0:
        raise Refused(
            "flash decoding needs min(tp_degree, attention heads) to be a multiple of the key-value heads",
            "choose another tensor parallel degree",
        )
    config["num_cores_per_group"] = cores // config["num_key_value_heads"]


def _flash_decoding_heads(config: dict[str, Any], neuron: Mapping[str, Any]) -> None:
    if neuron["flash_decoding_enabled"] and config["num_attention_heads"] % neuron["tp_degree"] != 0:
        raise Refused("flash decoding needs attention heads divisible by tp_degree", "choose another degree")


def _qwen2_biases(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    config["qkv_bias"], config["o_bias"] = True, False


def _gpt_oss_names(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    """``GptOssInferenceConfig.add_derived_config``: names of the original checkpoint format."""
    for name, source in (("num_local_experts", "num_experts"), ("num_experts_per_tok", "experts_per_token")):
        if name not in config and source in config:
            config[name] = config[source]
    names = {"rope_scaling_factor": "factor", "rope_ntk_alpha": "beta_slow", "rope_ntk_beta": "beta_fast"}
    for name, source in names.items():
        if name not in config and "rope_scaling" in config:
            config[name] = config["rope_scaling"].get(source)


def _chunked_attention(config: dict[str, Any], neuron: Mapping[str, Any]) -> None:
    """``_validate_chunked_attention_support``."""
    if "attention_chunk_size" not in config or not config["attention_chunk_size"] < neuron["seq_len"]:
        return
    wrong = [name for name, value in _CHUNKED_ATTENTION_ONLY_WITH.items() if neuron[name] != value]
    if wrong:
        raise Refused(f"chunked attention does not go with {', '.join(wrong)}", "leave these at their defaults")
    chunk, context_parallel = config["attention_chunk_size"], neuron["cp_degree"]
    if chunk % context_parallel != 0 or (neuron["seq_len"] % chunk) % context_parallel != 0:
        raise Refused("attention chunks are not divisible by cp_degree", "choose another cp_degree")


def _windowed_encoding(config: dict[str, Any], neuron: Mapping[str, Any]) -> None:
    """``_validate_windowed_context_encoding_support``."""
    window = neuron["windowed_context_encoding_size"]
    sliding = config.get("sliding_window")
    if window is not None and sliding is not None and window != sliding:
        raise Refused(
            f"windowed_context_encoding_size {window} differs from the sliding window {sliding}", "make them equal"
        )


def _padding_only_grows(config: dict[str, Any], neuron: Mapping[str, Any]) -> None:
    for name in ("hidden_size", "intermediate_size"):
        padded = neuron[f"padded_{name}"]
        if padded is not None and not padded >= config[name]:
            raise Refused(f"padded_{name} {padded} is smaller than {name} {config[name]}", "give a greater one")


def _llama_padding(config: dict[str, Any], neuron: Mapping[str, Any]) -> None:
    """``LlamaInferenceConfig.__init__`` from 0.8 on."""
    padded = neuron["padded_hidden_size"]
    if padded is not None:
        config.setdefault("original_hidden_size", config["hidden_size"])
        config["hidden_size"] = padded


def _gpt_oss_constants(config: dict[str, Any], neuron: Mapping[str, Any]) -> None:
    """``GptOssInferenceConfig.__init__`` after loading."""
    config.update(rms_norm_eps=1e-05, hidden_act="sigmoid", n_shared_experts=0)
    for name in ("hidden_size", "intermediate_size"):
        config.setdefault(f"original_{name}", config[name])
        if neuron[f"padded_{name}"] is not None:
            config[name] = neuron[f"padded_{name}"]


def _qwen3_moe_experts(config: dict[str, Any], neuron: Mapping[str, Any]) -> None:
    """``Qwen3MoeInferenceConfig.__init__`` after loading: padding for sharding on the intermediate size, constants."""
    config["num_local_experts"], config["n_shared_experts"] = config["num_experts"], 0
    degree, width = neuron["moe_tp_degree"], config["moe_intermediate_size"]
    per_rank = width // degree
    blockwise = neuron["blockwise_matmul_config"]
    sharded = isinstance(blockwise, dict) and blockwise["use_shard_on_intermediate_dynamic_while"]
    if sharded and per_rank % _SHARD_WIDTH != 0:
        padded = math.ceil(per_rank / _SHARD_WIDTH) * _SHARD_WIDTH * degree
        config["moe_intermediate_pad_size"] = max(padded - width, 0)
        config["moe_intermediate_size"] = padded
    fits = (config["moe_intermediate_size"] // degree) % _FUSED_KERNEL_WIDTH == 0
    if neuron["moe_fused_nki_kernel_enabled"] and fits:
        config["moe_fused_nki_kernel_enabled"] = True
    config["intermediate_size"] = config["moe_intermediate_size"]
    neuron["router_config"].update(dtype="float32", act_fn="softmax")
    neuron.update(disable_numeric_cc_token=True, normalize_top_k_affinities=True)  # type: ignore[attr-defined]


RULES: dict[str, Callable[[dict[str, Any], Any], None]] = {
    "one_core_per_group": _one_core_per_group,
    "flash_decoding_groups": _flash_decoding_groups,
    "flash_decoding_heads": _flash_decoding_heads,
    "qwen2_biases": _qwen2_biases,
    "gpt_oss_names": _gpt_oss_names,
    "chunked_attention": _chunked_attention,
    "windowed_encoding": _windowed_encoding,
    "padding_only_grows": _padding_only_grows,
    "llama_padding": _llama_padding,
    "gpt_oss_constants": _gpt_oss_constants,
    "qwen3_moe_experts": _qwen3_moe_experts,
}
