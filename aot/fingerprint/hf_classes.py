"""Stage 3a, per model type: the constructors of transformers' configuration classes.

Mirrors ``LlamaConfig``, ``Qwen2Config``, ``Qwen3Config``, ``Qwen3MoeConfig``, ``MistralConfig``, ``MixtralConfig``,
``GptOssConfig``, ``DbrxConfig`` and ``Gemma3TextConfig`` (transformers 4.56 / 4.57, models/*/configuration_*.py).
Parameters and defaults are data in the profile; so are the names of the steps below that a class takes, in its order.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from aot.fingerprint import hf_base, rope
from aot.fingerprint.errors import NotCovered, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_LAYERS = 100_000
_LAYER_TYPES = ("full_attention", "sliding_attention", "chunked_attention", "linear_attention")


def construct(
    kind: Mapping[str, Any], arguments: dict[str, Any], transformers: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The class's own ``__init__``: attributes it sets itself, and the arguments it hands to ``PretrainedConfig``."""
    attributes: dict[str, Any] = {}
    for name, default in kind["parameters"].items():
        if name in arguments:
            attributes[name] = arguments.pop(name)
        else:
            attributes[name] = copy.deepcopy(default) if isinstance(default, dict | list) else default
    for name, (source, default) in kind["derived_from_extra_keys"].items():
        attributes[name] = arguments.get(source, default)
    for name in kind["sub_configurations"]:
        attributes[name] = _sub_configuration(name, attributes[name], transformers)
    for step in kind["steps"]:
        STEPS[step](attributes, transformers)
    for name in kind["forwarded"]:
        arguments[name] = attributes.pop(name)
    return attributes, arguments


def _sub_configuration(name: str, given: Any, transformers: Mapping[str, Any]) -> dict[str, Any]:
    """``DbrxAttentionConfig`` / ``DbrxFFNConfig``, as ``to_dict`` of the outer configuration prints them."""
    kind = transformers["sub_configurations"][name]
    arguments = {} if given is None else dict(given)
    own = {key: arguments.pop(key, copy.deepcopy(default)) for key, default in kind["parameters"].items()}
    for key, value in kind["replaces_null"].items():
        own[key] = copy.deepcopy(value) if own[key] is None else own[key]
    unknown = arguments.keys() - set(kind["tolerated"])
    if unknown:
        raise Refused(f"{name} in config.json has the unknown keys {', '.join(sorted(unknown))}", "remove them")
    attributes: dict[str, Any] = {}
    base_arguments = arguments if kind["passes_extra_keys"] else {}
    dtype = hf_base.construct(attributes, base_arguments, transformers, {})
    attributes.update(own)
    attributes.update(_name_or_path="", model_type="", dtype=dtype)
    del attributes["transformers_version"]
    return hf_base.stringify_dtypes(hf_base.remove_unserialised(attributes, quantized=False))


def _key_value_heads(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    if config["num_key_value_heads"] is None:
        config["num_key_value_heads"] = config["num_attention_heads"]


def _head_dim(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    if config["head_dim"] is None:
        config["head_dim"] = config["hidden_size"] // config["num_attention_heads"]


def _unused_sliding_window(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    if not config["use_sliding_window"]:
        config["sliding_window"] = None


def _rope(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    """The old spelling ``type`` is copied to ``rope_type``, then the parameters are checked."""
    scaling = config["rope_scaling"]
    if scaling is not None and "type" in scaling:
        scaling = config["rope_scaling"] = dict(scaling)
        scaling["rope_type"] = scaling["type"]
    rope.validate(config)


def _layers(config: Mapping[str, Any]) -> range:
    count = config["num_hidden_layers"]
    if isinstance(count, int) and count > _MOST_LAYERS:
        raise NotCovered(f"num_hidden_layers {count} is more than aot writes layer_types for")
    return range(count)


def _layer_types_by_window(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    if config["layer_types"] is None:
        first = config["max_window_layers"] if config["sliding_window"] is not None else None
        config["layer_types"] = [
            "sliding_attention" if first is not None and layer >= first else "full_attention"
            for layer in _layers(config)
        ]


def _layer_types_alternating(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    if config["layer_types"] is None:
        kinds = ("sliding_attention", "full_attention")
        config["layer_types"] = [kinds[layer % 2] for layer in _layers(config)]


def _check_layer_types(config: dict[str, Any], transformers: Mapping[str, Any]) -> None:
    """``layer_type_validation``; the number of layers is compared from transformers 4.57 on."""
    layers = config["layer_types"]
    if not all(layer in _LAYER_TYPES for layer in layers):
        raise Refused("layer_types in config.json holds an unknown name", f"use only {', '.join(_LAYER_TYPES)}")
    count = config["num_hidden_layers"]
    if transformers["layer_types_length_checked"] and count is not None and count != len(layers):
        raise Refused(
            f"config.json has {len(layers)} layer_types for num_hidden_layers {count}",
            "make the two agree in config.json",
        )


def _attention_bias(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    config["attention_bias"] = True  # a key of config.json still overwrites it, in the base constructor


def _dbrx(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    config["num_key_value_heads"] = config["attn_config"]["kv_n_heads"]
    if config["tie_word_embeddings"]:
        raise Refused("tie_word_embeddings is not supported for DBRX", "set it to false in config.json")


def _bidirectional_window(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    if config["use_bidirectional_attention"]:
        config["sliding_window"] = (config["sliding_window"] // 2) + 1


def _layer_types_by_pattern(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    if config["layer_types"] is None:
        pattern = config["_sliding_window_pattern"]
        config["layer_types"] = [
            "sliding_attention" if (layer + 1) % pattern else "full_attention" for layer in _layers(config)
        ]


def _check_rope(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    rope.validate(config)


def _mlp_only_layers(config: dict[str, Any], _: Mapping[str, Any]) -> None:
    if config["mlp_only_layers"] is None:
        config["mlp_only_layers"] = []


STEPS: dict[str, Callable[[dict[str, Any], Mapping[str, Any]], None]] = {
    "key_value_heads": _key_value_heads,
    "head_dim": _head_dim,
    "unused_sliding_window": _unused_sliding_window,
    "rope": _rope,
    "layer_types_by_window": _layer_types_by_window,
    "layer_types_alternating": _layer_types_alternating,
    "check_layer_types": _check_layer_types,
    "attention_bias": _attention_bias,
    "mlp_only_layers": _mlp_only_layers,
    "dbrx": _dbrx,
    "bidirectional_window": _bidirectional_window,
    "layer_types_by_pattern": _layer_types_by_pattern,
    "check_rope": _check_rope,
}
