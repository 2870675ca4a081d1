"""``NeuronConfig`` and ``MoENeuronConfig``: options, defaults, and attributes that no option changes."""

from __future__ import annotations

import ast
import importlib
from typing import TYPE_CHECKING, Any

from . import instance
from .pops import Pop, assignments, own_attribute, pops
from .values import NotLiteral, parameters, value

if TYPE_CHECKING:
    from .notes import Notes
    from .sources import Sources

CONFIG = "neuronx_distributed_inference.models.config"
QUANTIZATION = "neuronx_distributed.quantization.quantization_config"


def neuron_config(sources: Sources, notes: Notes) -> dict[str, Any]:
    """From the source where it is written in the known idiom, else from an instance."""
    table: dict[str, Any] = {}
    taken = notes.attempt("neuron_config.source", lambda: pops(sources.function(CONFIG, "NeuronConfig", "__init__")))
    if taken:
        table.update(_from_source(taken, sources, notes))
    else:
        notes.missing.pop("neuron_config.source", None)
        notes.need_imports()
        table.update(instance.defaults(notes))
        notes.not_introspectable(
            "neuron_config.defaults (computed ones)",
            "told from instances, where a computed default looks like a constant: the constructor's source is not in "
            "the known form",
        )
    notes.put(table, "neuron_config", "dtypes", lambda: _dtypes(sources))
    notes.put(
        table,
        "neuron_config",
        "activation_quantization_types",
        lambda: _names_accepted(sources),
    )
    notes.put(table, "neuron_config", "quantized_dtypes", lambda: _quantized(notes))
    return table


def _from_source(taken: list[Pop], sources: Sources, notes: Notes) -> dict[str, Any]:
    names = sources.constants(CONFIG)
    defaults: dict[str, Any] = {}
    copied: dict[str, str] = {}
    for pop in taken:
        if pop.name in defaults or pop.name in copied or pop.default is None:
            continue
        source = own_attribute(pop.default)
        if source is not None and source != pop.name:
            copied[pop.name] = source
            continue
        for literal in notes.literal(f"neuron_config.{pop.name}", pop.default, None if pop.conditional else names):
            defaults[pop.name] = literal
    constructor = sources.function(CONFIG, "NeuronConfig", "__init__")
    return {
        "defaults": defaults,
        "default_from": copied,
        "constants": _constants(constructor, {pop.name for pop in taken}),
    }


def _constants(constructor: ast.FunctionDef, options: set[str]) -> dict[str, Any]:
    """Attributes set once, to a literal, whatever the options."""
    every = assignments(constructor)
    found = {}
    for name, expression, conditional in every:
        once = sum(other == name for other, _, _ in every) == 1
        if once and not conditional and name not in options:
            try:
                found[name] = value(expression)
            except NotLiteral:
                continue
    return found


def moe_neuron_config(sources: Sources, notes: Notes) -> dict[str, Any]:
    """Options that ``MoENeuronConfig`` itself takes and keeps under their own name."""
    constructor = sources.function(CONFIG, "MoENeuronConfig", "__init__")
    kept = {name for name, _, _ in assignments(constructor)}
    names = sources.constants(CONFIG)
    expressions = parameters(constructor)
    expressions.update((pop.name, pop.default) for pop in pops(constructor) if pop.default is not None)
    rewritten = _rewritten(constructor)
    defaults = {}
    for name, expression in expressions.items():
        if name not in kept or name in rewritten:
            notes.computed[f"moe_neuron_config.{name}"] = ast.unparse(expression)
            continue
        for literal in notes.literal(f"moe_neuron_config.{name}", expression, names):
            defaults[name] = literal
    return {"defaults": defaults}


def _rewritten(constructor: ast.FunctionDef) -> set[str]:
    """Attributes whose every value is an object made of the remaining options (``RouterConfig.from_kwargs``)."""
    return {
        name
        for name, expression, _ in assignments(constructor)
        if isinstance(expression, ast.Call) and any(keyword.arg is None for keyword in expression.keywords)
        and isinstance(expression.func, ast.Attribute) and ast.unparse(expression.keywords[-1].value) == "kwargs"
    }  # fmt: skip


def _dtypes(sources: Sources) -> list[str]:
    """Names that ``to_torch_dtype`` accepts."""
    function = sources.function(CONFIG, "to_torch_dtype")
    return next(
        [str(value(key)) for key in node.keys if key is not None]
        for node in ast.walk(function)
        if isinstance(node, ast.Dict)
    )


def _quantized(notes: Notes) -> list[str]:
    """Members of ``QuantizedDtype``, aliases included; some are defined only for some versions of torch."""
    notes.need_imports()
    return list(importlib.import_module(QUANTIZATION).QuantizedDtype.__members__)


def _names_accepted(sources: Sources) -> list[str]:
    """Values of ``ActivationQuantizationType`` that a request can spell."""
    values = (value(node) for node in members(sources, QUANTIZATION, "ActivationQuantizationType").values())
    return [given for given in values if isinstance(given, str)]


def members(sources: Sources, module: str, name: str) -> dict[str, ast.expr]:
    """Members of an enum, by its source."""
    return {
        statement.targets[0].id: statement.value
        for statement in sources.class_(module, name).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }
