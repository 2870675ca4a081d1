"""Python expressions as plain data, where they are data."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Pow: operator.pow,
}


class NotLiteral(ValueError):  # noqa: N818 (an answer, not a fault)
    """The expression is computed when the code runs; ``str()`` is its text."""

    def __init__(self, node: ast.AST) -> None:
        super().__init__(ast.unparse(node))


def value(node: ast.expr, names: Mapping[str, ast.expr] | None = None) -> Any:
    """The value of a literal, of arithmetic on literals, or of a module's constant; ``torch.bfloat16`` is its name.

    Raises ``NotLiteral`` for anything else.
    """
    names = names or {}
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [value(item, names) for item in node.elts]
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {
            value(key, names): value(item, names)
            for key, item in zip(node.keys, node.values, strict=True)
            if key is not None
        }
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -value(node.operand, names)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _ARITHMETIC[type(node.op)](value(node.left, names), value(node.right, names))
    return _named(node, names)


def _named(node: ast.expr, names: Mapping[str, ast.expr]) -> Any:
    if isinstance(node, ast.Name) and node.id in names:
        return value(names[node.id], {})
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return value(node.value, names)[node.slice.value]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch":
        return node.attr
    if ast.unparse(node) in ("float('inf')", "math.inf"):
        return float("inf")
    raise NotLiteral(node)


def parameters(function: ast.FunctionDef) -> dict[str, ast.expr]:
    """Parameters that have a default, with it."""
    arguments = function.args
    positional = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    found = {parameter.arg: default for parameter, default in zip(positional, arguments.defaults, strict=True)}
    keyword = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {**found, **{parameter.arg: default for parameter, default in keyword if default is not None}}
