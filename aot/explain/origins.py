"""Whose work a field of the canonical document is, and what to do about an input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.explain.inputs import CONFIG_JSON, ENVIRONMENT, FLAG, MODEL_PATH, TARGET, TOOLCHAIN, Name
from aot.fingerprint.platform import TARGET_OVERRIDE

if TYPE_CHECKING:
    from collections.abc import Mapping

PLUGIN, NXDI, TRANSFORMERS = "plugin", "NxDI", "transformers"

_SET_BY_PLUGIN = {
    "tp_degree",
    "ctx_batch_size",
    "batch_size",
    "max_context_length",
    "seq_len",
    "enable_bucketing",
    "is_continuous_batching",
    "quantized",
    "torch_dtype",
    "padding_side",
    "on_device_sampling_config",
    "lora_config",
    "pa_num_blocks",
    "pa_block_size",
    "is_block_kv_layout",
    "is_prefix_caching",
}
"""What the plugin passes to NeuronConfig: vllm-neuron 0.4.1, ``_get_default_neuron_config``."""
_SET_BY_NXDI = {"neuron_config", "fused_spec_config", "metadata", "num_cores_per_group"}
_CLASS_DATA = {"attribute_map"}


def origin_of(path: str, profile: Mapping[str, Any] | None, config_json: Mapping[str, Any]) -> str:
    """Who put the field there: config.json, transformers, the plugin, NxDI, or the model path itself."""
    top, _, rest = path.partition(".")
    if top == "_name_or_path":
        return MODEL_PATH
    if top == "neuron_config":
        return PLUGIN if rest.partition(".")[0] in _SET_BY_PLUGIN else NXDI
    if top in _SET_BY_NXDI:
        return NXDI
    if top in config_json and top not in _CLASS_DATA:
        return CONFIG_JSON
    return TRANSFORMERS if top in _CLASS_DATA or _has_default(top, profile, config_json) else NXDI


def _has_default(key: str, profile: Mapping[str, Any] | None, config_json: Mapping[str, Any]) -> bool:
    if profile is None:
        return True
    tables = profile["transformers"]
    own = tables["classes"].get(str(config_json.get("model_type")), {}).get("parameters", {})
    built = {"label2id", "layer_types", "transformers_version", "rope_scaling", "return_dict"}
    return key in tables["common_defaults"] or key in tables["generation_defaults"] or key in own or key in built


def advice(name: Name) -> str:
    """The flag, variable or file to change so that both sides agree."""
    if name.origin == FLAG:
        return _flag_advice(name)
    if name == Name(CONFIG_JSON, "transformers_version"):
        return "use one revision of the model: without transformers_version in config.json the installed release enters"
    if name == Name(ENVIRONMENT, TARGET_OVERRIDE):
        return f"build for the device that serves (--target); a pod needs no {TARGET_OVERRIDE}"
    return {
        ENVIRONMENT: f"set {name.key} alike where the model is built and where it is served",
        TARGET: "build for the device that serves (--target)",
        MODEL_PATH: "give both the same model path, character by character: a trailing slash counts",
        CONFIG_JSON: f"use one revision of the model: config.json differs in {name.key}",
        TOOLCHAIN: "build with the toolchain that serves, or keep serving with the one that built",
    }.get(name.origin, "start both servers the same way: `vllm serve` and the LLM class have different defaults")


def _flag_advice(name: Name) -> str:
    flag, _, rest = name.shown.partition(" ")
    if rest:
        return f"give {flag} the same {rest} on both sides"
    return f"give {flag} the same value on both sides; a flag left out takes the server's default"
