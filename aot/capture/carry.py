"""What no introspection finds, taken over from a release that was measured, and only that.

Carried over are names of aot's own rules and results of trials with vLLM. Defaults, options, classes and architectures
never are: a captured release that lacks one lacks it. Which of the carried parts need a second look is what the digests
of upstream code tell.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

KNOWLEDGE: tuple[tuple[str, ...], ...] = (
    ("engine", "max_model_len_minimum"),
    ("engine", "parallel_sizes_converted_first"),
    ("engine", "quantization_methods"),
    ("engine", "fields", "*", "*"),
    ("model_classes", "*", "derived"),
    ("model_classes", "*", "validated"),
    ("model_classes", "*", "finished"),
    ("model_classes", "*", "set_before_loading"),
    ("model_classes", "*", "set_after_loading"),
    ("transformers", "classes", "*", "steps"),
    ("transformers", "sub_configurations", "*", "passes_extra_keys"),
    ("transformers", "sub_configurations", "*", "replaces_null"),
    ("transformers", "sub_configurations", "*", "tolerated"),
)
"""Paths in a profile; ``*`` stands for every name that both releases have."""


@dataclass(frozen=True)
class Carried:
    """A filled profile; ``paths`` were taken over, ``left_out`` are classes that our rules cannot be trusted with."""

    profile: dict[str, Any]
    paths: list[str]
    left_out: list[str]


def carried(profile: Mapping[str, Any], base: Mapping[str, Any], changed: Iterable[str]) -> Carried:
    """The profile with what it lacks of ``KNOWLEDGE`` from ``base``; ``changed`` names code that is another now.

    A field of ``EngineArgs`` is taken over whole when what vLLM declares for it has not changed in a way that a
    declaration shows. A class without rules in ``base``, or whose own code changed, is left out: requests for it then
    need ``--exact`` until somebody has looked at its rules.
    """
    merged = copy.deepcopy(dict(profile))
    filled = [path for pattern in KNOWLEDGE if "fields" not in pattern for path in _fill(merged, base, pattern, ())]
    filled += _fields(merged, base)
    left_out = _leave_out(merged, base, {name.rpartition(":")[2] for name in changed})
    kept = [path for path in filled if not any(path.startswith(f"{gone}.") for gone in left_out)]
    return Carried(merged, sorted(kept), left_out)


def _leave_out(merged: dict[str, Any], base: Mapping[str, Any], changed: set[str]) -> list[str]:
    """Remove the classes that have no rules, or whose rules mirror other code."""
    gone = []
    models, known = merged.get("model_classes", {}), base.get("model_classes", {})
    for name in sorted(models):
        if name not in known or models[name]["config_class"] in changed:
            del models[name]
            gone.append(f"model_classes.{name}")
    kinds = merged.get("transformers", {}).get("classes", {})
    for name in sorted(kinds):
        if "steps" not in kinds[name] or kinds[name]["class"] in changed:
            del kinds[name]
            gone.append(f"transformers.classes.{name}")
    return gone


def _fill(
    table: dict[str, Any], base: Mapping[str, Any], pattern: tuple[str, ...], prefix: tuple[str, ...]
) -> Iterator[str]:
    head, *rest = pattern
    names = sorted(table.keys() & base.keys()) if head == "*" else [head]
    for name in names:
        path = (*prefix, name)
        if rest and isinstance(table.get(name), dict) and isinstance(base.get(name), dict):
            yield from _fill(table[name], base[name], tuple(rest), path)
        elif not rest and name not in table and name in base:
            table[name] = copy.deepcopy(base[name])
            yield ".".join(path)


def _fields(merged: dict[str, Any], base: Mapping[str, Any]) -> list[str]:
    """Fields of ``EngineArgs``: the measured entry instead of ``effect_unknown``, unless a choice or bound is new."""
    captured = merged.get("engine", {}).get("fields", {})
    measured = base.get("engine", {}).get("fields", {})
    filled = []
    for name in sorted(captured.keys() & measured.keys()):
        if _declared_alike(captured[name], measured[name]):
            captured[name] = copy.deepcopy(measured[name])
            filled.append(f"engine.fields.{name}")
    return filled


def _declared_alike(captured: Mapping[str, Any], measured: Mapping[str, Any]) -> bool:
    if captured["type"] != measured["type"]:  # the measurement overruled the declaration
        return True
    return all(
        set(captured.get(key) or ()) == set(measured.get(key) or ())
        if key == "choices"
        else key not in captured or key not in measured or captured[key] == measured[key]
        for key in ("choices", "minimum", "maximum", "above")
    )
