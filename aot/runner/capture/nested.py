"""Configuration objects inside ``NeuronConfig``, and enums that are serialised with them."""

from __future__ import annotations

import ast
import importlib
from typing import TYPE_CHECKING, Any

from .neuron_config import CONFIG, QUANTIZATION, members
from .pops import pops
from .values import NotLiteral, parameters, value

if TYPE_CHECKING:
    from .notes import Notes
    from .sources import Sources

MOE = "neuronx_distributed.modules.moe.moe_configs"
# Name in the profile: where its options are read.
TABLES: dict[str, tuple[str, ...]] = {
    "on_device_sampling_config": (CONFIG, "OnDeviceSamplingConfig", "__init__"),
    "chunked_prefill_config": (CONFIG, "ChunkedPrefillConfig", "__init__"),
    "hybrid_sharding_config": (CONFIG, "HybridShardingConfig", "__init__"),
    "tensor_capture_config": (CONFIG, "TensorCaptureConfig", "__init__"),
    "lora_serving_config": (
        "neuronx_distributed_inference.modules.lora_serving.config",
        "LoraServingConfig",
        "__init__",
    ),
    "blockwise_matmul_config": (MOE, "BlockwiseMatmulConfig", "from_kwargs"),
    "kv_quant_config": (QUANTIZATION, "KVQuantizationConfig", "__init__"),
}
# Computed defaults that aot's rules know by name.
KNOWN = {
    "hardware(get_platform_target()) != hardware.TRN1": "hardware is not TRN1",
    "not hardware(get_platform_target()) == hardware.TRN1": "hardware is not TRN1",
}


def tables(sources: Sources, notes: Notes) -> dict[str, Any]:
    """Defaults of each object; a computed one is null, with its expression among ``computed``."""
    found: dict[str, Any] = {}
    for name, (module, *where) in TABLES.items():
        notes.put(found, "nested", name, lambda n=name, m=module, w=where: _table(n, m, w, sources, notes))  # type: ignore[misc]
    return found


def _table(name: str, module: str, where: list[str], sources: Sources, notes: Notes) -> dict[str, Any]:
    function = sources.function(module, *where)
    names = sources.constants(module)
    expressions = parameters(function)
    expressions.update((pop.name, pop.default) for pop in pops(function) if pop.default is not None)
    if not expressions:
        raise ValueError(f"{'.'.join(where)} does not take its options in the known way")
    return {
        option: _default(f"nested.{name}.{option}", expression, (module, names), sources, notes)
        for option, expression in expressions.items()
    }


def _default(
    path: str, expression: ast.expr, scope: tuple[str, dict[str, ast.expr]], sources: Sources, notes: Notes
) -> Any:
    module, names = scope
    try:
        return value(expression, names)
    except NotLiteral:
        text = ast.unparse(expression)
        if isinstance(expression, ast.Attribute) and isinstance(expression.value, ast.Name):
            member = notes.attempt(path, lambda: _member(sources, module, expression.value.id, expression.attr))  # type: ignore[attr-defined]
            notes.missing.pop(path, None)
            if member is not None:
                return member
        notes.computed[path] = text
        return KNOWN.get(text)


def _member(sources: Sources, module: str, enum: str, name: str) -> dict[str, Any]:
    """An enum member as NxDI's ``to_dict`` serialises it: its ``__dict__``, with ``_sort_order_`` (Python 3.11+)."""
    found = members(sources, module, enum)
    return {
        "__objclass__": {"__module__": module, "__name__": enum},
        "_name_": name,
        "_sort_order_": list(found).index(name),
        "_value_": value(found[name]),
    }


def enums(sources: Sources, notes: Notes) -> dict[str, Any]:  # noqa: ARG001 (the signature of a section)
    """Enums whose members are serialised; closed-source ones can only be asked."""
    found: dict[str, Any] = {}
    where = {
        "BlockShardStrategy": MOE,
        "LogicalNCConfig": "neuronx_distributed.utils.model_utils",
    }
    for name, module in where.items():
        notes.put(found, "enums", name, lambda n=name, m=module: _enum(n, m, notes))  # type: ignore[misc]
    return found


def _enum(name: str, module: str, notes: Notes) -> dict[str, Any]:
    notes.need_imports()
    enum = getattr(importlib.import_module(module), name)
    return {
        "module": enum.__module__,
        "name": enum.__name__,
        "members": {member.name: getattr(member.value, "value", member.value) for member in enum},
    }
