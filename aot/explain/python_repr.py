"""Values out of a printed Python dict, as ``logger.info("...: %s", {...})`` leaves it in a log; nothing is run."""

from __future__ import annotations

import ast
import re
from typing import Any

LIMIT = 1 << 20
"""Characters of one printed dict that are looked at; a real one has a few thousand."""
_OBJECT = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|<[^<>'"]*(?:'[^']*'[^<>'"]*)*>""")


class Opaque:
    """A printed object whose value the text does not show."""


OPAQUE = Opaque()


def parse_dict(text: str) -> dict[str, Any] | None:
    """The dict that ``text`` is; None where it is none. Objects become OPAQUE, ``torch.bfloat16`` its name."""
    if len(text) > LIMIT or not text.startswith("{"):
        return None
    readable = _OBJECT.sub(lambda match: match.group(1) or "__opaque__", text)
    try:
        value = _value(ast.parse(readable, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, dict) else None


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value) if value is None or isinstance(value, (bool, int, float, str)):
            return value
        case ast.Dict(keys=keys, values=values):
            return {str(_value(key)): _value(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item) for item in items]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)) if isinstance(value, (int, float)):
            return -value
        case ast.Attribute(value=ast.Name(id="torch"), attr=name):
            return name
        case ast.Name(id="inf" | "nan" as name):
            return float(name)
        case _:
            return OPAQUE


def is_plain(value: Any) -> bool:
    """Whether nothing in ``value`` is opaque."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is not OPAQUE
