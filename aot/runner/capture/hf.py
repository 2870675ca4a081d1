"""transformers: defaults of the configuration classes, and what their common base class adds and reserves."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

from . import hf_classes
from .hf_classes import BASE
from .values import parameters, value

if TYPE_CHECKING:
    from .notes import Notes
    from .sources import Sources

AUTO = "transformers.models.auto.configuration_auto"
# Class attributes that instances read, besides methods and read-only properties.
CLASS_ATTRIBUTES = ("attribute_map", "sub_configs", "has_no_defaults_at_init")


def tables(sources: Sources, notes: Notes) -> dict[str, Any]:
    """Stage 3 of a release."""
    found: dict[str, Any] = {}
    notes.put(found, "transformers", "version", lambda: _version(sources))
    notes.put(found, "transformers", "model_types", lambda: model_types(sources))
    notes.put(found, "transformers", "common_defaults", lambda: _common(sources))
    notes.put(found, "transformers", "generation_defaults", lambda: _generation(sources))
    notes.put(found, "transformers", "reserved_names", lambda: _reserved(sources))
    notes.put(found, "transformers", "layer_types_length_checked", lambda: _length_checked(sources))
    notes.put(found, "transformers", "mistral_with_layer_types", lambda: _mistral(sources))
    notes.put(found, "transformers", "torch_dtypes", lambda: _torch_dtypes(notes))
    notes.put(found, "transformers", "classes", lambda: hf_classes.classes(model_types(sources), sources, notes))
    notes.put(
        found,
        "transformers",
        "sub_configurations",
        lambda: hf_classes.sub_configurations(model_types(sources), sources, notes),
    )
    return found


def _version(sources: Sources) -> str:
    """It enters the hash where config.json names none; the package's own word, else its metadata."""
    try:
        return str(value(sources.constants("transformers")["__version__"]))
    except LookupError:
        return importlib.metadata.version("transformers").partition("+")[0]


def model_types(sources: Sources) -> list[str]:
    """``CONFIG_MAPPING_NAMES``: the model types that AutoConfig knows."""
    table = sources.constants(AUTO)["CONFIG_MAPPING_NAMES"]
    if not isinstance(table, ast.Call):
        raise TypeError("CONFIG_MAPPING_NAMES is not made by a call")
    return sorted(pair[0] for pair in value(table.args[0]))


def _common(sources: Sources) -> dict[str, Any]:
    constructor = sources.function(BASE, "PretrainedConfig", "__init__")
    return {name: value(default) for name, default in parameters(constructor).items()}


def _generation(sources: Sources) -> dict[str, Any]:
    function = sources.function(BASE, "PretrainedConfig", "_get_global_generation_defaults")
    returned = next(node.value for node in ast.walk(function) if isinstance(node, ast.Return))
    if returned is None:
        raise ValueError("_get_global_generation_defaults returns nothing")
    defaults: dict[str, Any] = value(returned)
    return defaults


def _reserved(sources: Sources) -> list[str]:
    """Names that a config.json key would hide: methods, properties nobody can set, class attributes."""
    definition = sources.class_(BASE, "PretrainedConfig")
    methods = [entry for entry in definition.body if isinstance(entry, ast.FunctionDef)]
    settable = {
        entry.name for entry in methods if any(ast.unparse(mark).endswith(".setter") for mark in entry.decorator_list)
    }
    attributes = {
        target.id
        for entry in definition.body
        for target in (entry.targets if isinstance(entry, ast.Assign) else [getattr(entry, "target", None)])
        if isinstance(target, ast.Name) and target.id in CLASS_ATTRIBUTES
    }
    plain = {entry.name for entry in methods if not entry.name.startswith("__")}
    return sorted((plain - settable) | attributes)


def _length_checked(sources: Sources) -> bool:
    """``layer_type_validation`` also takes the number of layers."""
    return len(sources.function(BASE, "layer_type_validation").args.args) > 1


def _mistral(sources: Sources) -> str:
    """The model type that AutoConfig makes of a Mistral with ``layer_types``."""
    for node in ast.walk(sources.function(AUTO, "AutoConfig", "from_pretrained")):
        if (
            isinstance(node, ast.If)
            and "'mistral'" in ast.unparse(node.test)
            and "layer_types" in ast.unparse(node.test)
        ):
            for statement in ast.walk(node):
                if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
                    return str(statement.value.value)
    return "mistral"


def _torch_dtypes(notes: Notes) -> dict[str, str]:
    """Every name of a dtype, with the one it prints."""
    notes.need_imports()
    torch = importlib.import_module("torch")
    kind = torch.dtype
    return {
        name: str(found).partition(".")[2]
        for name in sorted(dir(torch))
        if isinstance(found := getattr(torch, name), kind) and "." in str(found)
    }
