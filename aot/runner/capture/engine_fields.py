"""Fields of ``EngineArgs`` with what vLLM's configuration classes accept for them."""

from __future__ import annotations

import dataclasses
import importlib
import json
import types
import typing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .notes import Notes

OWNERS = ("ModelConfig", "CacheConfig", "ParallelConfig", "SchedulerConfig", "LoadConfig", "ObservabilityConfig",
          "StructuredOutputsConfig", "VllmConfig", "CompilationConfig", "MultiModalConfig", "LoRAConfig")  # fmt: skip
# Fields that are spelled otherwise in the class that checks them.
ALIASES = {"kv_cache_dtype": "cache_dtype", "scheduling_policy": "policy", "limit_mm_per_prompt": "limit_per_prompt"}
BOUNDS = (("ge", "minimum"), ("le", "maximum"), ("gt", "above"))


def fields(notes: Notes) -> dict[str, dict[str, Any]]:
    """Type, bounds and choices by field, ``uncovered`` where vLLM does not declare them.

    Whether a value changes the hash, or is refused on Neuron, is in no declaration: ``effect_unknown`` says so for all
    but the default, and a request that gives another value then needs ``--exact``.
    """
    notes.need_imports()
    notes.not_introspectable(
        "engine.fields.*.{refused,uncovered,value}", "the effect of a value shows only by trying: effect_unknown"
    )
    arguments = importlib.import_module("vllm.engine.arg_utils").EngineArgs
    owners = _owners()
    found = {}
    for field in dataclasses.fields(arguments):
        if field.name != "model":
            found[field.name] = _field(field, owners)
    return found


def _owners() -> list[dict[str, Any]]:
    module = importlib.import_module("vllm.config")
    classes = (getattr(module, name, None) for name in OWNERS)
    return [getattr(cls, "__pydantic_fields__", {}) for cls in classes]


def _field(field: dataclasses.Field[Any], owners: list[dict[str, Any]]) -> dict[str, Any]:
    default = _default(field)
    name = ALIASES.get(field.name, field.name)
    declared = next((owner[name] for owner in owners if name in owner), None)
    accepted: dict[str, Any] = {"type": "uncovered"}
    if declared is not None:
        accepted = _accepts(declared.annotation, declared.metadata)
    if accepted["type"] != "uncovered":
        accepted["effect_unknown"] = True
    if default is None:
        accepted["nullable"] = True
    elif default is not ...:
        accepted["neutral"] = [default]
    return accepted


def _default(field: dataclasses.Field[Any]) -> Any:
    """The default as JSON; ``...`` when it is none."""
    value = field.default
    if value is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    try:
        json.dumps(value)
    except TypeError:
        return ...
    return value


def _accepts(annotation: Any, metadata: Iterable[Any]) -> dict[str, Any]:
    """A type annotation with its bounds, as the profile spells them."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _accepts(arguments[0], [*metadata, *arguments[1:]])
    if origin in (typing.Union, types.UnionType):
        rest = [argument for argument in arguments if argument is not type(None)]
        accepted = _accepts(rest[0], metadata) if len(rest) == 1 else {"type": "uncovered"}
        return {**accepted, "nullable": True} if len(rest) < len(arguments) else accepted
    if origin is typing.Literal:
        return {"type": "choice", "choices": list(arguments)}
    if annotation in (int, float, bool, str):
        return {"type": annotation.__name__, **_bounds(metadata)}
    return {"type": "uncovered"}


def _bounds(metadata: Iterable[Any]) -> dict[str, Any]:
    return {
        name: bound
        for entry in metadata
        for attribute, name in BOUNDS
        if (bound := getattr(entry, attribute, None)) is not None
    }
