"""The idiom by which NxDI's and NxD's configuration classes take their options: ``kwargs.pop("name", default)``."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Pop:
    """One option; ``default`` is None when it must be given, ``conditional`` when it is read inside an ``if``."""

    name: str
    default: ast.expr | None
    conditional: bool


def pops(function: ast.FunctionDef) -> list[Pop]:
    """The options a constructor takes out of ``kwargs``, in the order of the source."""
    found: list[Pop] = []
    for statement in function.body:
        conditional = isinstance(statement, (ast.If, ast.For, ast.While, ast.Try, ast.With))
        calls = sorted(_calls(statement), key=lambda call: (call.lineno, call.col_offset))
        found += [_pop(call, conditional) for call in calls]
    return found


def _calls(statement: ast.stmt) -> Iterator[ast.Call]:
    for node in ast.walk(statement):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "pop"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "kwargs"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node


def _pop(call: ast.Call, conditional: bool) -> Pop:
    name = call.args[0]
    assert isinstance(name, ast.Constant)  # noqa: S101 - what _calls yields
    return Pop(str(name.value), call.args[1] if len(call.args) > 1 else None, conditional)


def own_attribute(node: ast.AST) -> str | None:
    """``name`` of ``self.name``."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return node.attr
    return None


def assignments(function: ast.FunctionDef) -> list[tuple[str, ast.expr, bool]]:
    """``(attribute, value, conditional)`` of every ``self.attribute = value``, in the order of the source."""
    found = []
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found += [(name, node.value, node is not statement) for t in targets if (name := own_attribute(t))]
    return found
