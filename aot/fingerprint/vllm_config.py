"""Stage 1a: vLLM's own view of the model configuration, which decides the architecture and the dtype.

Mirrors vLLM 0.13 / 0.16: ``get_config`` (transformers_utils/config.py), ``ModelConfig.__post_init__`` and
``_get_and_verify_dtype`` (config/model.py). NxDI reads config.json again by itself, so nothing that happens here is
hashed, except through the class selected by ``architectures`` and through the dtype.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from aot.fingerprint import rope
from aot.fingerprint.coercion import as_float, as_int
from aot.fingerprint.errors import NotCovered, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.fingerprint.hf_config import HfConfig

_TEXT_CONFIGURATIONS = ("text_encoder", "decoder", "generator", "text_config")  # get_text_config of transformers
EXPERT_COUNTS = ("num_experts", "moe_num_experts", "n_routed_experts", "num_local_experts")
_LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length",
            "max_target_positions", "max_sequence_length", "max_seq_length", "seq_len")  # fmt: skip
_DTYPES = {"half": "float16", "float16": "float16", "float": "float32", "float32": "float32", "bfloat16": "bfloat16"}


def view(hf: HfConfig, document: Mapping[str, Any], overrides: Any, engine: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of the configuration object that vLLM holds, after ``hf_overrides`` and its rope patch."""
    _check_speculators(document)
    config = {**hf.attributes, "dtype": hf.dtype}
    if document.get("llm_config") is not None:  # _CONFIG_ATTRS_MAPPING
        config["text_config"] = document["llm_config"]
    if "rope_scaling" in document:  # otherwise the dict is the class default, which vLLM does change in place
        config["rope_scaling"] = copy.deepcopy(config.get("rope_scaling"))
    if "rope_parameters" in document:
        config["rope_parameters"] = copy.deepcopy(config["rope_parameters"])
    if not isinstance(overrides, dict):
        raise Refused("hf_overrides is not an object", "give hf_overrides as a JSON object")
    if overrides.get("model_type") in engine["config_registry"]:
        raise NotCovered(f"hf_overrides selects vLLM's own configuration class for {overrides['model_type']!r}")
    if config.get("quantization_config") is not None:
        _ = config["quantization_config"].get("scale_fmt")
    plain = {name: value for name, value in overrides.items() if not isinstance(value, dict)}
    _update(config, plain, hf.attribute_map)
    rope.patch_for_vllm(config, original_length_first=engine["rope_original_length_first"])
    _update(config, {name: value for name, value in overrides.items() if isinstance(value, dict)}, hf.attribute_map)
    _refuse_text_configuration(config)
    if config.get("quantization_config") is not None:
        _check_quantization(config["quantization_config"], normalised=engine["quantization_method_normalised"])
    config.update((alias, config.get(name)) for alias, name in hf.attribute_map.items())
    if engine["architecture_values_typed"]:
        _check_architecture_values(config)
    return config


def _check_architecture_values(config: Mapping[str, Any]) -> None:
    """``ModelArchitectureConfig`` (vLLM 0.16, config/model_arch.py): a typed extract of the model's configuration."""
    for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"):
        as_int(name, config.get(name, 0))
    width = next((config[name] for name in ("head_dim", "hidden_size_per_head") if config.get(name) is not None), None)
    as_int("head_dim", config["hidden_size"] // config["num_attention_heads"] if width is None else width)
    names = ("n_head_kv", "num_kv_heads", "num_key_value_heads", "multi_query_group_num", "num_attention_heads")
    as_int("num_key_value_heads", next(config[name] for name in names if name in config))
    experts = next((config[name] for name in EXPERT_COUNTS if name in config), 0)
    as_int("num_experts", (experts[0] if isinstance(experts, list) else experts) or 0)
    longest = float("inf")
    for name in _LENGTHS:
        if config.get(name) is not None:
            longest = min(longest, config[name])
    as_float("max_position_embeddings", config.get("model_max_length") or longest)


def _check_speculators(document: Mapping[str, Any]) -> None:
    """``SpeculatorsConfig``: vLLM reads such a model as a draft model with a target of its own."""
    found = document.get("speculators_config")
    if found is None:
        return
    if isinstance(found, dict) and document.get("speculators_model_type") is not None:
        raise NotCovered("config.json has speculators_config: speculators models are not covered")
    raise Refused("config.json has speculators_config, but names no speculators model", "remove speculators_config")


def _refuse_text_configuration(config: Mapping[str, Any]) -> None:
    """``get_hf_text_config``: a nested part that is plain JSON has no ``num_attention_heads``, so vLLM refuses it."""
    found = [name for name in _TEXT_CONFIGURATIONS if config.get(name) is not None]
    if found:
        raise Refused(
            f"the model's configuration has {', '.join(found)}, which vLLM takes for a multimodal model's text part",
            "remove it from config.json or hf_overrides",
        )


def _update(config: dict[str, Any], values: Mapping[str, Any], attribute_map: Mapping[str, str]) -> None:
    for name, value in values.items():
        config["dtype" if name == "torch_dtype" else attribute_map.get(name, name)] = value


def _check_quantization(quantization: Any, *, normalised: bool) -> None:
    """``_verify_bnb_config`` reads a key; vLLM 0.16 also lower-cases the method's name."""
    quantization.get("load_in_8bit", False)
    if normalised:
        quantization.get("producer", {}).get("name")
        quantization.get("quant_method", "").lower()


def architecture(config: Mapping[str, Any]) -> str:
    """``_get_model_configs`` (vllm-neuron 0.4.1 / 0.5.0, worker/neuronx_distributed_model_loader.py)."""
    architectures = config.get("architectures")
    if not architectures:
        raise Refused(
            "config.json names no architecture: vLLM falls back to a headless model, which the Neuron plugin rejects",
            "add architectures to config.json",
        )
    name = architectures[0]
    heads = config.get("num_key_value_heads")
    width = config.get("head_dim")
    if not width and config.get("num_attention_heads") and config.get("hidden_size"):
        width = config["hidden_size"] // config["num_attention_heads"]
    if not heads or not width:
        raise Refused(
            "the plugin finds no num_key_value_heads or head_dim in the configuration", "complete config.json"
        )
    int(heads), int(width)
    return str(name)


def resolve_dtype(given: Any, config: Mapping[str, Any], engine: Mapping[str, Any]) -> str:
    """``_get_and_verify_dtype``: "auto" follows config.json, except that float32 and unknown types become bfloat16.

    A configuration without dtype counts as float32: the rules see no safetensors headers.
    """
    half_fails = config["model_type"] in engine["float16_unsupported"]
    if given != "auto":
        if not isinstance(given, str) or given not in _DTYPES:
            raise Refused(f"vLLM does not know the dtype {given!r}", f"use auto or one of {', '.join(sorted(_DTYPES))}")
        if half_fails and _DTYPES[given] == "float16":
            raise Refused(f"vLLM refuses float16 for the model type {config['model_type']}", "use bfloat16")
        return _DTYPES[given]
    if config["dtype"] == "float16" and not half_fails:
        return "float16"
    return "bfloat16"
