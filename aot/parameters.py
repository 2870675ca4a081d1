"""How many parameters a model has, counted from its HF config: tensor by tensor, as the model's code declares them.

Sources: transformers 4.57 ``models/{llama,qwen2,qwen3,mistral,mixtral,qwen3_moe,gpt_oss}/modeling_*.py``.

A config is a stranger's file. What is no plausible extent in it makes the count unknown; nothing here loops over
layers, however many are claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class _Family:
    """What a family's layers have besides the usual; None for a bias means that the config says."""

    qkv_bias: bool | None = None
    output_bias: bool | None = None
    qk_norm: bool = False
    sinks: bool = False
    router_bias: bool = False
    expert_bias: bool = False


_FAMILIES = {
    "llama": _Family(),
    "mistral": _Family(qkv_bias=False, output_bias=False),
    "qwen2": _Family(qkv_bias=True, output_bias=False),
    "qwen3": _Family(qk_norm=True),
    "mixtral": _Family(qkv_bias=False, output_bias=False),
    "qwen3_moe": _Family(qk_norm=True),
    "gpt_oss": _Family(qkv_bias=True, output_bias=True, sinks=True, router_bias=True, expert_bias=True),
}
_MOST = 2**31 - 1
_MOST_LAYERS = 10_000


class MalformedError(ValueError):
    """A key of config.json whose value is no extent of a model; the text names both."""


@dataclass(frozen=True)
class Shape:
    """The extents of a decoder that sizes follow from."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    tied: bool


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The language model's part of a config that nests it."""
    nested = config.get("text_config")
    return nested if isinstance(nested, dict) else config


def shape_of(config: Mapping[str, Any]) -> Shape | None:
    """The shape, or None where the config lacks one of its keys or has something else there."""
    try:
        return _shape(config)
    except MalformedError:
        return None


def problem(config: Mapping[str, Any]) -> str | None:
    """What keeps a config from being counted: the key and its value; None where nothing is wrong with it."""
    try:
        _count(config)
    except MalformedError as found:
        return str(found)
    return None


def count(config: Mapping[str, Any]) -> int | None:
    """Parameters of the model, None for a family that is not counted here and for a malformed config."""
    try:
        return _count(config)
    except MalformedError:
        return None


def _shape(config: Mapping[str, Any]) -> Shape:
    part = text_config(config)
    hidden, heads = _whole(part, "hidden_size"), _whole(part, "num_attention_heads")
    if part.get("head_dim") is None and hidden < heads:
        raise MalformedError(f"hidden_size is {hidden}, less than the {heads} of num_attention_heads")
    tied = "tie_word_embeddings"
    return Shape(
        hidden=hidden,
        layers=_whole(part, "num_hidden_layers", most=_MOST_LAYERS),
        heads=heads,
        kv_heads=_whole(part, "num_key_value_heads", default=heads),
        head_dim=_whole(part, "head_dim", default=hidden // heads),
        intermediate=_whole(part, "intermediate_size"),
        vocabulary=_whole(part, "vocab_size"),
        tied=_flag(part if tied in part else config, tied),
    )


def _count(config: Mapping[str, Any]) -> int | None:
    part = text_config(config)
    family = _FAMILIES.get(str(part.get("model_type")))
    if family is None:
        return None
    shape = _shape(config)
    embeddings = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    per_layer = _attention(shape, family, part) + 2 * shape.hidden
    sparse = _sparse_layers(shape, part)
    feed_forward = (shape.layers - sparse) * _dense(shape, part)
    if sparse:
        feed_forward += sparse * _experts(shape, family, part)
    return embeddings + shape.layers * per_layer + feed_forward + shape.hidden


def _whole(part: Mapping[str, Any], key: str, *, default: int | None = None, least: int = 1, most: int = _MOST) -> int:
    """A whole number of the config; null or no such key is ``default``. Raises MalformedError."""
    value = part.get(key)
    if value is None and default is not None:
        return default
    # Not 32.0, not "32", not true: transformers would go on with them, but nobody means them.
    if type(value) is not int or not least <= value <= most:
        raise MalformedError(f"{key} is {_short(value)} instead of a whole number from {least} to {most}")
    return value


def _flag(part: Mapping[str, Any], key: str) -> bool:
    value = part.get(key)
    if value is not None and not isinstance(value, bool):
        raise MalformedError(f"{key} is {_short(value)} instead of true or false")
    return bool(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _attention(shape: Shape, family: _Family, part: Mapping[str, Any]) -> int:
    declared = _flag(part, "attention_bias")
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    total = shape.hidden * (queries + 2 * keys) + queries * shape.hidden
    if declared if family.qkv_bias is None else family.qkv_bias:
        total += queries + 2 * keys
    if declared if family.output_bias is None else family.output_bias:
        total += shape.hidden
    return total + (2 * shape.head_dim if family.qk_norm else 0) + (shape.heads if family.sinks else 0)


def _dense(shape: Shape, part: Mapping[str, Any]) -> int:
    bias = 2 * shape.intermediate + shape.hidden if _flag(part, "mlp_bias") else 0
    return 3 * shape.hidden * shape.intermediate + bias


def _experts(shape: Shape, family: _Family, part: Mapping[str, Any]) -> int:
    experts = _number_of_experts(part)
    width = _whole(part, "moe_intermediate_size", default=shape.intermediate)
    expert = 3 * shape.hidden * width + (2 * width + shape.hidden if family.expert_bias else 0)
    router = experts * shape.hidden + (experts if family.router_bias else 0)
    return experts * expert + router


def _number_of_experts(part: Mapping[str, Any]) -> int:
    named = _whole(part, "num_local_experts", default=0, least=0)
    return named or _whole(part, "num_experts", default=0, least=0)


def _sparse_layers(shape: Shape, part: Mapping[str, Any]) -> int:
    """How many layers have experts: Qwen3-MoE may keep some dense (``mlp_only_layers``, ``decoder_sparse_step``)."""
    if not _number_of_experts(part):
        return 0
    step, kept = _whole(part, "decoder_sparse_step", default=1), part.get("mlp_only_layers")
    if kept is not None and not (isinstance(kept, list) and all(type(layer) is int for layer in kept)):
        raise MalformedError(f"mlp_only_layers is {_short(kept)} instead of a list of layer numbers")
    dense = {layer for layer in kept or () if 0 <= layer < shape.layers and (layer + 1) % step == 0}
    return shape.layers // step - len(dense)
