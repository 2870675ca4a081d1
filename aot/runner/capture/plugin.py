"""vllm-neuron: the architectures it maps to NxDI classes, and the defaults of its quantization override."""

from __future__ import annotations

import ast
import importlib
from typing import TYPE_CHECKING, Any

from ..serving import LOADER
from .values import value

if TYPE_CHECKING:
    from .notes import Notes
    from .sources import Sources

CONSTANTS = "neuronx_distributed_inference.utils.constants"


def tables(sources: Sources, notes: Notes) -> dict[str, Any]:
    """``architectures`` (as ``_get_neuron_model_cls`` answers) and ``quantization_defaults``."""
    found: dict[str, Any] = {}
    notes.put(found, "plugin", "architectures", lambda: architectures(notes))
    notes.put(found, "plugin", "quantization_defaults", lambda: _quantization(sources))
    return found


def architectures(notes: Notes) -> dict[str, str]:
    """Architectures that vLLM knows and the plugin serves, with the name of the NxDI class."""
    return {name: cls.__name__ for name, cls in sorted(classes(notes).items())}


def classes(notes: Notes) -> dict[str, Any]:
    """The plugin's answer for every architecture worth asking about."""
    notes.need_imports()
    ask = importlib.import_module(LOADER)._get_neuron_model_cls
    found = {}
    for name in _candidates():
        try:
            found[name] = ask(name)
        except (ValueError, LookupError, NotImplementedError):  # not served
            continue
    return found


def _candidates() -> list[str]:
    """What vLLM's registry lists; where it has none to ask, names made of NxDI's own table."""
    try:
        registry = importlib.import_module("vllm.model_executor.models.registry").ModelRegistry
    except ImportError:
        types = importlib.import_module(CONSTANTS).MODEL_TYPES
        return sorted(model.__name__.removeprefix("Neuron") for tasks in types.values() for model in tasks.values())
    return sorted(registry.get_supported_archs())


def _quantization(sources: Sources) -> dict[str, Any]:
    """``_get_neuron_config_after_override``: what goes with ``quantized``, popped with a default each."""
    found = {}
    for node in ast.walk(sources.function(LOADER, "_get_neuron_config_after_override")):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "pop":
            name = value(node.args[0])
            if "quantiz" in str(name) and len(node.args) > 1:
                found[str(name)] = value(node.args[1])
    if not found:
        raise ValueError("_get_neuron_config_after_override pops no quantization defaults")
    return found
