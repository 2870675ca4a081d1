"""vLLM: fields of ``EngineArgs``, defaults by usage context, model types it treats in a way of its own."""

from __future__ import annotations

import ast
import importlib
from typing import TYPE_CHECKING, Any

from . import engine_fields
from .sources import SourceMissing
from .values import value

if TYPE_CHECKING:
    from .notes import Notes
    from .sources import Sources

ARGUMENTS = "vllm.engine.arg_utils"
MODEL = "vllm.config.model"
HF_CONFIG = "vllm.transformers_utils.config"
NOT_READABLE = {
    "max_model_len_minimum": "the plugin's platform class replaces vLLM's own check",
    "parallel_sizes_converted_first": "an order of events inside vLLM, seen only by trying",
    "quantization_methods": "which dtypes each method accepts on Neuron shows only by trying; names are in "
    "quantization_method_names",
}


def tables(sources: Sources, notes: Notes) -> dict[str, Any]:
    """Everything of stage 1 that a release decides."""
    found: dict[str, Any] = {}
    notes.put(found, "engine", "fields", lambda: engine_fields.fields(notes))
    notes.put(found, "engine", "config_registry", lambda: _registry(sources))
    notes.put(found, "engine", "float16_unsupported", lambda: _float16_unsupported(sources))
    notes.put(found, "engine", "rope_original_length_first", lambda: _original_length_first(sources))
    notes.put(found, "engine", "architecture_values_typed", lambda: _has_module(sources, "vllm.config.model_arch"))
    notes.put(found, "engine", "quantization_method_normalised", lambda: _normalised(sources))
    notes.put(found, "engine", "quantization_method_names", lambda: _quantization(notes))
    batch = notes.attempt("engine.default_max_num_seqs", lambda: _batch_defaults(notes))
    if batch is not None:
        found["default_max_num_batched_tokens"], found["default_max_num_seqs"] = batch
    for name, why in NOT_READABLE.items():
        notes.not_introspectable(f"engine.{name}", why)
    return found


def _registry(sources: Sources) -> list[str]:
    """Model types for which vLLM brings its own configuration class."""
    table = sources.constants(HF_CONFIG)["_CONFIG_REGISTRY"]
    if not isinstance(table, ast.Call):
        raise TypeError("_CONFIG_REGISTRY is not made by a call")
    return [keyword.arg for keyword in table.keywords if keyword.arg]


def _float16_unsupported(sources: Sources) -> list[str]:
    table = sources.constants(MODEL)["_FLOAT16_NOT_SUPPORTED_MODELS"]
    return sorted(value(table))


def _original_length_first(sources: Sources) -> bool:
    """``patch_rope_parameters`` looks at ``original_max_position_embeddings`` whatever else is there."""
    function = sources.function(HF_CONFIG, "patch_rope_parameters")
    return any(
        isinstance(node, ast.Constant) and node.value == "original_max_position_embeddings"
        for statement in function.body
        if isinstance(statement, ast.Assign)
        for node in ast.walk(statement)
    )


def _has_module(sources: Sources, module: str) -> bool:
    sources.directory(module.split(".", 1)[0])
    sources.path(MODEL)  # where there is no vllm.config package, absence says nothing
    try:
        sources.path(module)
    except SourceMissing:
        return False
    return True


def _normalised(sources: Sources) -> bool:
    """The converter of vLLM 0.16 lower-cases ``quant_method`` while it reads the model's configuration."""
    sources.path(MODEL)
    try:
        tree = sources.tree("vllm.transformers_utils.model_arch_config_convertor")
    except SourceMissing:
        return False
    text = ast.unparse(tree)
    return "quant_method" in text and ".lower()" in text


def _quantization(notes: Notes) -> list[str]:
    notes.need_imports()
    return sorted(importlib.import_module("vllm.model_executor.layers.quantization").QUANTIZATION_METHODS)


def _batch_defaults(notes: Notes) -> tuple[dict[str, int], dict[str, int]]:
    """``EngineArgs.get_batch_defaults`` under the Neuron platform: batched tokens, sequences."""
    notes.need_imports()
    found = importlib.import_module(ARGUMENTS).EngineArgs.get_batch_defaults(world_size=1)
    tokens, sequences = ({context.name: number for context, number in table.items() if context} for table in found)
    return tokens, sequences
