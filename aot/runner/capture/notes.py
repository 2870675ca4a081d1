"""What a capture could not find, and why: kept beside what it found."""

from __future__ import annotations

import ast
import subprocess
from typing import TYPE_CHECKING, Any

from .sources import SourceMissing
from .values import NotLiteral, value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .sources import Sources

# What reading or asking code that is not what we expect ends with.
SURPRISES = (SourceMissing, ImportError, AttributeError, LookupError, TypeError, ValueError, AssertionError, OSError,
             NotImplementedError, RuntimeError, SyntaxError, subprocess.SubprocessError)  # fmt: skip


class Notes:
    """``missing``: dotted path in the profile -> reason. ``computed``: path -> the expression that a default is."""

    def __init__(self, import_problem: str | None = None) -> None:
        self.import_problem = import_problem
        self.missing: dict[str, str] = {}
        self.computed: dict[str, str] = {}

    def section(self, name: str, read: Callable[[Sources, Notes], Any], sources: Sources) -> Any:
        """One part of the profile; None, and a note, when it cannot be read."""
        return self.attempt(name, lambda: read(sources, self))

    def attempt(self, path: str, find: Callable[[], Any]) -> Any:
        """What ``find`` returns; None, and a note, when the image is not as expected there."""
        try:
            return find()
        except SURPRISES as surprise:
            self.missing[path] = f"{type(surprise).__name__}: {surprise}" if str(surprise) else type(surprise).__name__
            return None

    def put(self, table: dict[str, Any], prefix: str, name: str, find: Callable[[], Any]) -> None:
        """Set ``table[name]`` to what ``find`` returns; leave it out, with a note, when there is no telling.

        None from ``find`` means "not found" and is noted by ``find`` itself or here.
        """
        path = f"{prefix}.{name}"
        found = self.attempt(path, find)
        if found is not None:
            table[name] = found
        else:
            self.missing.setdefault(path, "not found in this image's sources")

    def literal(self, path: str, expression: ast.expr, names: Mapping[str, ast.expr] | None) -> list[Any]:
        """The value of a default, in a list; nothing, and a note, when it is computed (always so without ``names``)."""
        try:
            return [value(expression, names)] if names is not None else self._computed(path, expression)
        except NotLiteral:
            return self._computed(path, expression)

    def _computed(self, path: str, expression: ast.expr) -> list[Any]:
        self.computed[path] = ast.unparse(expression)
        return []

    def need_imports(self) -> None:
        """Raise when what follows would ask packages that could not be imported."""
        if self.import_problem is not None:
            raise ImportError(f"the packages cannot be imported here: {self.import_problem}")

    def not_introspectable(self, path: str, why: str) -> None:
        """Note something that no introspection can find."""
        self.missing[path] = why
