"""Where two canonical documents differ, field by field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ABSENT = "<absent>"
"""Stands for a field that one of the two documents does not have."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: ``path`` is dotted (``neuron_config.tp_degree``), ``left`` and ``right`` are JSON values."""

    path: str
    left: Any
    right: Any


def differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Difference]:
    """Fields that differ, by path. 1, 1.0 and true differ, as they do in the text that is hashed; lists are leaves."""
    return list(_walk(left, right, ""))


def _walk(left: Mapping[str, Any], right: Mapping[str, Any], prefix: str) -> Iterator[Difference]:
    for name in sorted({*map(str, left), *map(str, right)}):
        one, other = left.get(name, ABSENT), right.get(name, ABSENT)
        path = f"{prefix}.{name}" if prefix else name
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _walk(one, other, path)
        elif not same(one, other):
            yield from _leaves(one, other, path)


def _leaves(one: Any, other: Any, path: str) -> Iterator[Difference]:
    """A filled object against something else is told field by field, so that each line holds one value."""
    filled = one if isinstance(one, dict) and one else other if isinstance(other, dict) and other else None
    if filled is None:
        yield Difference(path, one, other)
        return
    if filled is one and other != ABSENT:
        yield Difference(path, "<object>", other)
    elif filled is other and one != ABSENT:
        yield Difference(path, one, "<object>")
    yield from _walk(one if filled is one else {}, other if filled is other else {}, path)


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values with their spelling: numbers of different types differ, inside lists too."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return repr(one) == repr(other)  # 0.0 and -0.0 are spelled differently, NaN and NaN alike
    return bool(one == other)
