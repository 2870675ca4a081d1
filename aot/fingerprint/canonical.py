"""The canonical text, byte for byte.

Mirrors ``InferenceConfig.to_json_string`` (neuronx-distributed-inference, models/config.py):
``json.dumps(to_dict(self), indent=2, sort_keys=True)``. The standard library falls back to pure Python when asked to
indent; this writer gives the same bytes several times faster, which is what 10 000 requests in three seconds need.
"""

from __future__ import annotations

import json.encoder
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aot.fingerprint.errors import NotCovered

if TYPE_CHECKING:
    from collections.abc import Callable

_string = json.encoder.encode_basestring_ascii  # ASCII escapes, surrogate pairs, DEL printed raw
_INFINITY = float("inf")
_DEEPEST = 40  # levels; configurations have four or five
_LONGEST_CACHED = 200  # characters of a key: the caches outlive a request


def to_text(document: dict[str, Any]) -> str:
    """``document`` as JSON: two spaces, keys sorted, ASCII, no final newline.

    Keys of one object are all strings (sorted by code point) or all integers (sorted as numbers, then quoted).
    Raises TypeError for values that JSON cannot hold, as the standard library does, and NotCovered for text that is
    nested more deeply than any configuration: with an indentation on every line it grows with the depth's square.
    """
    return _object(document, "\n  ")


def _object(value: dict[Any, Any], newline: str) -> str:
    if not value:
        return "{}"
    rows = []
    for key in sorted(value):
        item = value[key]
        if type(key) is str and len(key) > _LONGEST_CACHED:
            rows.append(f"{_string(key)}: {_value(item, newline)}")
        elif type(item) in _CACHED:
            rows.append(_row(key, item))
        else:
            rows.append(f"{_label(key)}{_value(item, newline)}")
    return f"{{{newline}{f',{newline}'.join(rows)}{newline[:-2]}}}"


def _list(value: list[Any], newline: str) -> str:
    if not value:
        return "[]"
    if all(type(item) is str for item in value):
        rows = [*map(_string, value)]
    else:
        rows = [_value(item, newline) for item in value]
    return f"[{newline}{f',{newline}'.join(rows)}{newline[:-2]}]"


def _value(item: Any, newline: str) -> str:
    if item is None:
        return "null"
    kind = type(item)
    if kind is str:
        return _string(item)
    if len(newline) > 2 * _DEEPEST and kind in (dict, list):
        raise NotCovered(f"a value is nested more than {_DEEPEST} levels deep")
    if kind is dict:
        return _object(item, newline + "  ")
    if kind is list:
        return _list(item, newline + "  ")
    if kind in _ATOMS:
        return _ATOMS[kind](item)
    raise TypeError(f"an object of type {kind.__name__} has no JSON form")


@lru_cache(maxsize=8192, typed=True)
def _row(key: Any, item: Any) -> str:
    """A whole line. Most lines of most documents are the same; floats are left out, for 0.0 equals -0.0."""
    return f"{_label(key)}{_value(item, '')}"


@lru_cache(maxsize=4096, typed=True)
def _label(key: Any) -> str:
    """A key with its colon; the same few hundred keys come up in every document."""
    if type(key) is str:
        return _string(key) + ": "
    if type(key) is int:
        return f'"{key}": '
    raise TypeError(f"a key of type {type(key).__name__} has no JSON form")


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _float(value: float) -> str:
    if value != value:  # not a number
        return "NaN"
    if value in (_INFINITY, -_INFINITY):
        return "Infinity" if value > 0 else "-Infinity"
    return float.__repr__(value)


_CACHED = frozenset({type(None), bool, int})
_ATOMS: dict[type, Callable[[Any], str]] = {bool: _bool, int: int.__repr__, float: _float}
