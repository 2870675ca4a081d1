"""``NeuronConfig`` by experiment: build instances and look, where the source is not in the idiom we can read."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .notes import Notes

# Lengths and counts that nothing else has as its default, so that a copy of one is recognised.
GIVEN = {"seq_len": 9973, "batch_size": 617, "tp_degree": 13}
FAILURES = (ValueError, TypeError, AssertionError, AttributeError, LookupError, RuntimeError, NotImplementedError)


def defaults(notes: Notes) -> dict[str, Any]:
    """Attributes of an instance, told apart: options, copies of ``seq_len`` or ``batch_size``, and constants."""
    module = importlib.import_module("neuronx_distributed_inference.models.config")
    build = module.NeuronConfig
    required = _required(build)
    found = _attributes(module, build(**GIVEN, **required))
    table: dict[str, dict[str, Any]] = {"defaults": {}, "default_from": {}, "constants": {}}
    copies = {number: name for name, number in GIVEN.items()}
    for name, value in sorted(found.items()):
        path = f"neuron_config.{name}"
        if name in required:
            notes.missing[path] = "must be given; its default, if it has one, is not in an instance"
        elif name in GIVEN:
            continue
        elif isinstance(value, int) and value in copies:
            table["default_from"][name] = copies[value]
        elif _is_number_in(value, copies):
            notes.computed[path] = "follows from the lengths and counts given"
        else:
            kind = "defaults" if _is_option(module, build, required, name, value) else "constants"
            table[kind][name] = value
    table["defaults"].update(_plain_defaults(module, build, required))
    return table


def _required(build: Callable[..., Any]) -> dict[str, Any]:
    """Options without which no instance can be built, with a stand-in value."""
    needed: dict[str, Any] = {}
    for _ in range(16):
        try:
            build(**GIVEN, **needed)
        except KeyError as missing:
            needed[str(missing.args[0])] = 1
        else:
            return needed
    raise ValueError(f"NeuronConfig wants more than {sorted(needed)}")


def _attributes(module: Any, config: Any) -> dict[str, Any]:
    """The instance as it is serialised; values that JSON cannot hold are left out."""
    plain = module.to_dict(config)
    return {name: value for name, value in plain.items() if _is_json(value)}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_number_in(value: Any, copies: dict[int, str]) -> bool:
    return isinstance(value, list) and any(item in copies for item in value if isinstance(item, int))


def _is_option(module: Any, build: Callable[..., Any], required: dict[str, Any], name: str, value: Any) -> bool:
    """Whether giving another value changes the attribute, or is at least looked at."""
    other = (not value) if isinstance(value, bool) else value + 1 if isinstance(value, (int, float)) else "aot-probe"
    if isinstance(value, float) and other == value:  # infinity
        other = 1.0
    try:
        changed = _attributes(module, build(**{**GIVEN, **required, name: other}))
    except FAILURES:
        return True
    return name not in changed or changed[name] != value


def _plain_defaults(module: Any, build: Callable[..., Any], required: dict[str, Any]) -> dict[str, Any]:
    """Defaults of the three options that were given: seen by leaving each out in turn."""
    found = {}
    for name in GIVEN:
        rest = {key: value for key, value in GIVEN.items() if key != name}
        try:
            found[name] = _attributes(module, build(**rest, **required))[name]
        except FAILURES:
            continue
    return found
