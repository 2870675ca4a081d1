"""NxDI's model classes: the config classes they use, what those require and set."""

from __future__ import annotations

import ast
import importlib
from typing import TYPE_CHECKING, Any

from . import plugin
from .neuron_config import CONFIG
from .pops import assignments, own_attribute, pops
from .sources import SourceMissing
from .values import NotLiteral, value

if TYPE_CHECKING:
    from .notes import Notes
    from .sources import Sources

RULES = ("derived", "validated", "finished", "set_before_loading", "set_after_loading")


def tables(sources: Sources, notes: Notes) -> dict[str, Any]:
    """One table per class that the plugin can serve; the names of aot's rules for it cannot be read off anything."""
    models = {model.__name__: model for model in plugin.classes(notes).values()}
    found: dict[str, Any] = {}
    for name, model in sorted(models.items()):
        notes.put(found, "model_classes", name, lambda m=model, n=name: _table(m, n, sources, notes))  # type: ignore[misc]
    notes.not_introspectable(
        f"model_classes.*.{{{','.join(RULES)}}}",
        "names of aot's own rules; `code` holds digests of the upstream functions they mirror",
    )
    return found


def _table(model: Any, name: str, sources: Sources, notes: Notes) -> dict[str, Any]:
    config, neuron_config = model.get_config_cls(), model.get_config_cls().get_neuron_config_cls()
    base = importlib.import_module(CONFIG)
    moe = getattr(base, "MoENeuronConfig", None)
    table: dict[str, Any] = {
        "config_class": config.__name__,
        "neuron_config_class": neuron_config.__name__,
        "mixture_of_experts": bool(moe is not None and issubclass(neuron_config, moe)),
    }
    prefix = f"model_classes.{name}"
    notes.put(table, prefix, "required", lambda: _required(config, sources))
    notes.put(table, prefix, "methods", lambda: methods(config, sources))
    own = notes.attempt(prefix, lambda: _own_settings(neuron_config, sources, notes, prefix))
    if own is not None:
        table["neuron_config_sets"], table["neuron_config_extra"] = own
    return table


def _chain(kind: Any, sources: Sources) -> list[ast.ClassDef]:
    """Sources of a class and of its bases inside NxDI, the class first."""
    package = CONFIG.split(".", 1)[0]
    return [sources.class_(cls.__module__, cls.__name__) for cls in kind.__mro__ if cls.__module__.startswith(package)]


def _methods_of(definition: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {entry.name: entry for entry in definition.body if isinstance(entry, ast.FunctionDef)}


def _required(config: Any, sources: Sources) -> list[str]:
    """``get_required_attributes``: a list written out in the nearest class that has one."""
    for definition in _chain(config, sources):
        method = _methods_of(definition).get("get_required_attributes")
        if method is not None:
            returned = next(node.value for node in ast.walk(method) if isinstance(node, ast.Return))
            if returned is None:
                raise ValueError("get_required_attributes returns nothing")
            return [str(name) for name in value(_looked_up(returned, definition))]
    raise SourceMissing("no get_required_attributes")


def _looked_up(expression: ast.expr, definition: ast.ClassDef) -> ast.expr:
    """What the constructor gave to ``self.attribute``, where the expression is one (Gemma 3)."""
    constructor = _methods_of(definition).get("__init__")
    name = own_attribute(expression)
    if name is None or constructor is None:
        return expression
    return next((given for attribute, given, _ in assignments(constructor) if attribute == name), expression)


def methods(config: Any, sources: Sources) -> list[str]:
    """Methods that the class calls on itself to be built and hashed: a config.json key of that name would hide one.

    ``save`` runs later; a parameter of a method's name (``load_config``) is called instead of it.
    """
    chain = [_methods_of(definition) for definition in _chain(config, sources)]
    known = {name for own in chain for name in own}
    called = {
        name
        for own in chain
        for method in own.values()
        if method.name != "save"
        for node in ast.walk(method)
        if isinstance(node, ast.Call) and (name := own_attribute(node.func)) in known and name not in _names(method)
    }
    return sorted(name for name in called if name is not None and not name.startswith("__"))


def _names(method: ast.FunctionDef) -> set[str]:
    return {parameter.arg for parameter in method.args.args}


def _own_settings(
    neuron_config: Any, sources: Sources, notes: Notes, prefix: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a model's own NeuronConfig class sets, and the options it takes besides those of its base."""
    if neuron_config.__module__ == CONFIG:
        return {}, {}
    module = neuron_config.__module__
    constructor = _methods_of(sources.class_(module, neuron_config.__name__)).get("__init__")
    if constructor is None:
        return {}, {}
    extra = {pop.name: value(pop.default) for pop in pops(constructor) if pop.default is not None}
    sets = {}
    for name, expression, _ in assignments(constructor):
        if name in extra:
            continue
        try:
            sets[name] = _class_or_value(module, expression)
        except (NotLiteral, AttributeError):
            notes.computed[f"{prefix}.neuron_config_sets.{name}"] = ast.unparse(expression)
    return sets, extra


def _class_or_value(module: str, expression: ast.expr) -> Any:
    if isinstance(expression, ast.Name):
        named = getattr(importlib.import_module(module), expression.id)
        if isinstance(named, type):
            return {"__module__": named.__module__, "__name__": named.__name__}
    return value(expression)
