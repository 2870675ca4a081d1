"""Configuration classes of transformers, one per model type that a Neuron server may be given."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from .pops import own_attribute, pops
from .values import NotLiteral, parameters, value

if TYPE_CHECKING:
    from .notes import Notes
    from .sources import Sources

BASE = "transformers.configuration_utils"
# Text models that NxDI serves in some release, and those that a server is given and refuses.
MODEL_TYPES = ("dbrx", "gemma3_text", "gpt_oss", "llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe")


def classes(known: list[str], sources: Sources, notes: Notes) -> dict[str, Any]:
    """Table by model type; the names of aot's steps for it cannot be read off anything."""
    found: dict[str, Any] = {}
    for model_type in MODEL_TYPES:
        if model_type in known:
            prefix = "transformers.classes"
            notes.put(found, prefix, model_type, lambda kind=model_type: _table(kind, sources, notes))  # type: ignore[misc]
    notes.not_introspectable(
        "transformers.classes.*.steps", "names of aot's own rules; `code` holds digests of the functions they mirror"
    )
    return found


def module_of(model_type: str) -> str:
    """Where transformers keeps the configuration of a model type."""
    folder = model_type.removesuffix("_text")
    return f"transformers.models.{folder}.configuration_{folder}"


def definition_of(model_type: str, sources: Sources) -> ast.ClassDef:
    """The class whose ``model_type`` it is."""
    module = module_of(model_type)
    for entry in sources.tree(module).body:
        if isinstance(entry, ast.ClassDef) and _class_values(entry).get("model_type") == model_type:
            return entry
    raise LookupError(f"{module} has no class for {model_type}")


def _class_values(definition: ast.ClassDef) -> dict[str, Any]:
    found = {}
    for entry in definition.body:
        if isinstance(entry, ast.Assign) and isinstance(entry.targets[0], ast.Name):
            try:
                found[entry.targets[0].id] = value(entry.value)
            except NotLiteral:
                continue
    return found


def _table(model_type: str, sources: Sources, notes: Notes) -> dict[str, Any]:
    definition = definition_of(model_type, sources)
    constructor = constructor_of(definition)
    call = next(node for node in ast.walk(constructor) if isinstance(node, ast.Call) and is_super_init(node))
    return {
        "class": definition.name,
        "model_type": model_type,
        "attribute_map": _class_values(definition).get("attribute_map", {}),
        "parameters": options(constructor, f"transformers.classes.{model_type}.parameters", notes),
        "forwarded": sorted(keyword.arg for keyword in call.keywords if keyword.arg),
        "base_first": _starts_with_base(constructor),
        "derived_from_extra_keys": _extra_keys(constructor),
        "sub_configurations": sorted(_sub_classes(definition)),
    }


def constructor_of(definition: ast.ClassDef) -> ast.FunctionDef:
    """``__init__`` of a class."""
    return next(node for node in definition.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")


def options(constructor: ast.FunctionDef, path: str, notes: Notes) -> dict[str, Any]:
    """Parameters and popped keys, with their defaults."""
    expressions = parameters(constructor)
    expressions.update((pop.name, pop.default) for pop in pops(constructor) if pop.default is not None)
    found = {}
    for name, expression in expressions.items():
        try:
            found[name] = value(expression)
        except NotLiteral:
            notes.computed[f"{path}.{name}"] = ast.unparse(expression)
    return found


def is_super_init(call: ast.Call) -> bool:
    """Whether the call is ``super().__init__(...)``."""
    return ast.unparse(call.func) == "super().__init__"


def _starts_with_base(constructor: ast.FunctionDef) -> bool:
    first = constructor.body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Call) and is_super_init(first.value)


def _extra_keys(constructor: ast.FunctionDef) -> dict[str, list[Any]]:
    """``self.attribute = kwargs.get("key", default)``: an attribute made of a key that stays in the document."""
    found = {}
    for node in ast.walk(constructor):
        if (
            isinstance(node, ast.Assign)
            and (name := own_attribute(node.targets[0]))
            and isinstance(node.value, ast.Call)
        ):
            call = node.value
            if ast.unparse(call.func) == "kwargs.get" and len(call.args) > 1:
                found[name] = [value(call.args[0]), value(call.args[1])]
    return found


def _sub_classes(definition: ast.ClassDef) -> dict[str, str]:
    """``sub_configs``: key in the document -> name of the class."""
    for entry in definition.body:
        if isinstance(entry, ast.Assign) and ast.unparse(entry.targets[0]) == "sub_configs":
            table = entry.value
            if isinstance(table, ast.Dict):
                return {
                    str(value(key)): ast.unparse(name)
                    for key, name in zip(table.keys, table.values, strict=True)
                    if key
                }
    return {}


def sub_configurations(known: list[str], sources: Sources, notes: Notes) -> dict[str, Any]:
    """Parameters of the classes that parts of a config.json become."""
    found: dict[str, Any] = {}
    for model_type in sorted(set(MODEL_TYPES) & set(known)):
        for key, name in _sub_classes(definition_of(model_type, sources)).items():
            part = sources.class_(module_of(model_type), name)
            path = f"transformers.sub_configurations.{key}"
            found[key] = {"parameters": options(constructor_of(part), f"{path}.parameters", notes)}
            notes.not_introspectable(f"{path}.{{passes_extra_keys,replaces_null,tolerated}}", "written as statements")
    return found
