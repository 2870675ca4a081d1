"""Stage 2b: NxDI's NeuronConfig, from keyword arguments to attributes.

Mirrors ``NeuronConfig.__init__`` (neuronx-distributed-inference 0.7 / 0.8 / 0.9, models/config.py). Attributes that
are a keyword with a constant default are the table ``neuron_config.defaults`` of the profile; those that default to
another attribute are ``neuron_config.default_from``. The rules are here, split by concern as the constructor is:
sizes (here), ``neuron_features``, ``neuron_kernels``, ``neuron_parallel``; nested objects in ``neuron_nested``.

Values are not checked for type upstream, so Python's own operators decide what is refused (see ``compute``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint import neuron_features, neuron_kernels, neuron_parallel
from aot.fingerprint.errors import Refused
from aot.fingerprint.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONG_CONTEXT = 32 * 1024
_LONG_CONTEXT_PAGE_SIZE = 1024


def build(arguments: Mapping[str, Any], platform: Platform, profile: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of ``NeuronConfig(**arguments)`` as plain JSON. Unknown keywords are ignored, as upstream does."""
    table = profile["neuron_config"]
    config: dict[str, Any] = dict(table["defaults"])  # its lists are never changed in place
    config.update((name, arguments[name]) for name in config.keys() & arguments.keys())
    config.update(table["constants"])
    _sizes(config, arguments, table["default_from"])
    _types(config, arguments, profile)
    neuron_features.buckets(config)
    neuron_features.quantization(config, profile)
    neuron_features.speculation(config)
    neuron_features.nested(config, profile, platform)
    neuron_parallel.degrees(config)
    neuron_kernels.kernels(config, profile)
    neuron_parallel.attention_data_parallel(config, platform)
    neuron_kernels.conflicts(config, profile)
    neuron_features.quantized_kernels(config)
    neuron_parallel.logical_cores(config, arguments, platform)
    _compiler(config, arguments)
    neuron_parallel.validate_data_parallel(config, config["attention_dp_degree"])
    neuron_features.batch_bucketing(config)
    return config


def _sizes(config: dict[str, Any], arguments: Mapping[str, Any], default_from: Mapping[str, str]) -> None:
    """Lengths and batch sizes; the default of ``max_new_tokens`` is computed even where it is given."""
    for name, source in default_from.items():
        config[name] = arguments.get(name, config[source]) if name in arguments else config[source]
    remaining = config["seq_len"] - config["max_context_length"]
    config["max_new_tokens"] = arguments.get("max_new_tokens", remaining)
    if config["max_new_tokens"] == 0:
        config["max_new_tokens"] = None
    if not config["max_context_length"] <= config["max_length"]:
        raise Refused(
            f"max_context_length {config['max_context_length']} is greater than max_length {config['max_length']}",
            "lower max_prompt_length or max_context_length, or raise max_model_len",
        )
    config["buckets"] = arguments.get("buckets", [config["seq_len"]])


def _types(config: dict[str, Any], arguments: Mapping[str, Any], profile: Mapping[str, Any]) -> None:
    """Element types: strings must be names NxDI knows, other values are kept as they are."""
    config["torch_dtype"] = as_dtype(arguments["torch_dtype"], profile)
    config["overrides_torch_dtype"] = arguments.get("overrides_torch_dtype", True)
    if config["cast_type"] not in ("config", "as-declared"):
        raise Refused(f"cast_type {config['cast_type']!r} is unknown to NxDI", "use config or as-declared")
    for name in ("rpl_reduce_dtype", "attention_dtype"):
        config[name] = as_dtype(config[name], profile)
    attention = config["attention_dtype"]
    if attention is not None and attention != config["torch_dtype"] and config["cast_type"] != "as-declared":
        raise Refused("attention_dtype differs from the dtype while everything is cast", "set cast_type to as-declared")


def as_dtype(value: Any, profile: Mapping[str, Any]) -> Any:
    """``to_torch_dtype`` for strings; a torch dtype and its name print alike."""
    if isinstance(value, str) and value not in profile["neuron_config"]["dtypes"]:
        known = ", ".join(profile["neuron_config"]["dtypes"])
        raise Refused(f"NxDI does not know the dtype {value!r}", f"use one of {known}")
    return value


def _compiler(config: dict[str, Any], arguments: Mapping[str, Any]) -> None:
    """Compiler-related attributes that follow from others."""
    config["tile_cc"] = bool(
        config["cc_pipeline_tiling_factor"] > 1
        and (config["mlp_kernel_enabled"] or config["quantized_mlp_kernel_enabled"])
    )
    if config["lora_config"] and config["lora_config"]["dynamic_multi_lora"]:
        config["weights_to_skip_layout_optimization"] = _appended(config["weights_to_skip_layout_optimization"])
    config["enable_long_context_mode"] = config["max_context_length"] >= _LONG_CONTEXT
    page_size = arguments.get(
        "scratchpad_page_size", _LONG_CONTEXT_PAGE_SIZE if config["enable_long_context_mode"] else None
    )
    config["scratchpad_page_size"] = int(page_size) if page_size else page_size


def _appended(patterns: Any) -> list[Any]:
    """Weights of dynamic adapters are left out of the layout optimization."""
    if not isinstance(patterns, list):
        raise Refused("weights_to_skip_layout_optimization is not a list", "give a list of patterns")
    return [*patterns, ".*lora.*"]
