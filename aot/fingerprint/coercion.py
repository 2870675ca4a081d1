"""How pydantic v2 reads a value in lax mode, for the types that vLLM's configuration dataclasses declare.

Mirrors the conversion table of pydantic-core for Python input: numbers given as strings or floats without a fraction
are accepted, and so are booleans for integers. Everything else makes vLLM refuse, hence ``Refused`` here.
"""

from __future__ import annotations

import re
from typing import Any

from aot.fingerprint.errors import Refused

_INTEGER = re.compile(r"\s*[+-]?\d+(_\d+)*(\.0+)?\s*", re.ASCII)
_TRUE = frozenset({"1", "on", "t", "true", "y", "yes"})
_FALSE = frozenset({"0", "off", "f", "false", "n", "no"})
_FLOAT_LIMIT = 2.0**63  # pydantic-core reads a float as a 64-bit integer
_LONGEST_NUMBER = 4300  # pydantic-core refuses longer digit strings


def as_int(name: str, value: Any) -> int:
    """``int`` field: 2, True, 2.0 and "2" (or "2.0") become 2."""
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, float) and abs(value) < _FLOAT_LIMIT and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and _INTEGER.fullmatch(value):
        return int(value.strip().split(".")[0].replace("_", ""))
    raise _refusal(name, value, "an integer")


def as_bool(name: str, value: Any) -> bool:
    """``bool`` field: 0, 1, 0.0, 1.0 and the words pydantic knows ("true", "off", "yes"...)."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise _refusal(name, value, "true or false")


def as_float(name: str, value: Any) -> float:
    """``float`` field: numbers, booleans and strings that Python reads as a number."""
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str) and value.isascii():
        try:
            return float(value)
        except ValueError:
            pass
    raise _refusal(name, value, "a number")


def as_str(name: str, value: Any) -> str:
    """``str`` field: strings only; pydantic does not turn numbers into strings."""
    if isinstance(value, str):
        return value
    raise _refusal(name, value, "a string")


def remainder(left: Any, right: Any) -> Any:
    """``left % right`` for values that upstream takes to be numbers.

    With a string on the left Python formats instead, with a result that is never 0 and may be of any size.
    """
    if isinstance(left, str):
        raise TypeError("a string has no remainder")
    return left % right


def product(left: Any, right: Any) -> Any:
    """``left * right``, but no repetition of a string or list beyond what a request can mean."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, str | list) and isinstance(other, int) and len(one) * other > _LONGEST_NUMBER:
            raise TypeError("a repeated string is no number")
    return left * right


def _refusal(name: str, value: Any, wanted: str) -> Refused:
    return Refused(f"{name} must be {wanted}, not {_short(value)}: vLLM refuses it", f"give {name} as {wanted}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
