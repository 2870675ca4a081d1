"""How many parameters a model has, counted from its HF config: tensor by tensor, as the model's code declares them.

Sources: transformers 4.57 ``models/{llama,qwen2,qwen3,mistral,mixtral,qwen3_moe,gpt_oss}/modeling_*.py``.
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
COVERED = tuple(_FAMILIES)


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
    """The shape, or None where the config lacks one of its keys."""
    part = text_config(config)
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
    found = [part.get(name) for name in names]
    if not all(isinstance(value, int) and value > 0 for value in found):
        return None
    hidden, layers, heads, intermediate, vocabulary = (int(value) for value in found if value is not None)
    return Shape(
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=int(part.get("num_key_value_heads") or heads),
        head_dim=int(part.get("head_dim") or hidden // heads),
        intermediate=intermediate,
        vocabulary=vocabulary,
        tied=bool(part.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
    )


def count(config: Mapping[str, Any]) -> int | None:
    """Parameters of the model, None for a family that is not counted here."""
    part = text_config(config)
    shape, family = shape_of(config), _FAMILIES.get(str(part.get("model_type")))
    if shape is None or family is None:
        return None
    embeddings = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    per_layer = _attention(shape, family, part) + 2 * shape.hidden
    feed_forward = sum(_feed_forward(shape, family, part, layer) for layer in range(shape.layers))
    return embeddings + shape.layers * per_layer + feed_forward + shape.hidden


def _attention(shape: Shape, family: _Family, part: Mapping[str, Any]) -> int:
    declared = bool(part.get("attention_bias", False))
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    total = shape.hidden * (queries + 2 * keys) + queries * shape.hidden
    if declared if family.qkv_bias is None else family.qkv_bias:
        total += queries + 2 * keys
    if declared if family.output_bias is None else family.output_bias:
        total += shape.hidden
    return total + (2 * shape.head_dim if family.qk_norm else 0) + (shape.heads if family.sinks else 0)


def _feed_forward(shape: Shape, family: _Family, part: Mapping[str, Any], layer: int) -> int:
    experts = int(part.get("num_local_experts") or part.get("num_experts") or 0)
    if not experts or not _is_sparse(part, layer):
        bias = 2 * shape.intermediate + shape.hidden if part.get("mlp_bias") else 0
        return 3 * shape.hidden * shape.intermediate + bias
    width = int(part.get("moe_intermediate_size") or shape.intermediate)
    expert = 3 * shape.hidden * width + (2 * width + shape.hidden if family.expert_bias else 0)
    router = experts * shape.hidden + (experts if family.router_bias else 0)
    return experts * expert + router


def _is_sparse(part: Mapping[str, Any], layer: int) -> bool:
    """Qwen3-MoE may keep some layers dense (``mlp_only_layers``, ``decoder_sparse_step``)."""
    step = int(part.get("decoder_sparse_step") or 1)
    return layer not in (part.get("mlp_only_layers") or []) and (layer + 1) % step == 0
