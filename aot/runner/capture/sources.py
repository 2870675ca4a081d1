"""Source text of the image's packages, found without importing them, and parsed once."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import TypeAlias

Definition: TypeAlias = "ast.ClassDef | ast.FunctionDef"


class SourceMissing(LookupError):  # noqa: N818 (an answer, not a fault)
    """A package, module, class or function is not where it is in the releases we know."""


class Sources:
    """Modules by dotted name."""

    def __init__(self) -> None:
        self._trees: dict[str, ast.Module] = {}

    def directory(self, package: str) -> Path:
        """Where a top-level package lies; finding one imports nothing, unlike finding its submodules."""
        try:
            spec = importlib.util.find_spec(package)
        except ValueError as error:  # a module put into sys.modules by hand has no spec
            raise SourceMissing(f"package {package}: {error}") from error
        if spec is None or not spec.submodule_search_locations:
            raise SourceMissing(f"package {package} is not installed")
        return Path(next(iter(spec.submodule_search_locations)))

    def path(self, module: str) -> Path:
        """The file of a module."""
        package, *rest = module.split(".")
        base = self.directory(package).joinpath(*rest)
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path
        raise SourceMissing(f"module {module} has no source file")

    def tree(self, module: str) -> ast.Module:
        """A module, parsed."""
        if module not in self._trees:
            self._trees[module] = ast.parse(self.path(module).read_text(encoding="utf-8"))
        return self._trees[module]

    def find(self, module: str, *names: str) -> Definition:
        """A class or function by its name, or by the names that lead to it."""
        found: ast.AST = self.tree(module)
        for name in names:
            found = _child(found, name, module)
        assert isinstance(found, (ast.ClassDef, ast.FunctionDef))  # noqa: S101 - what _child returns
        return found

    def function(self, module: str, *names: str) -> ast.FunctionDef:
        """A function or method."""
        found = self.find(module, *names)
        if not isinstance(found, ast.FunctionDef):
            raise SourceMissing(f"{module}.{'.'.join(names)} is no function")
        return found

    def class_(self, module: str, name: str) -> ast.ClassDef:
        """A class."""
        found = self.find(module, name)
        if not isinstance(found, ast.ClassDef):
            raise SourceMissing(f"{module}.{name} is no class")
        return found

    def constants(self, module: str) -> dict[str, ast.expr]:
        """Expressions that the module gives names to, those it imports from neighbours included (one step)."""
        found: dict[str, ast.expr] = {}
        for statement in self.tree(module).body:
            if isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                found.update(self._imported(statement))
            found.update(_assigned(statement))
        return found

    def _imported(self, statement: ast.ImportFrom) -> dict[str, ast.expr]:
        wanted = {alias.name: alias.asname or alias.name for alias in statement.names if alias.name.isupper()}
        if not wanted:
            return {}
        try:
            body = self.tree(str(statement.module)).body
        except (SourceMissing, ImportError, SyntaxError, OSError):
            return {}
        own = {name: value for entry in body for name, value in _assigned(entry).items()}
        return {wanted[name]: own[name] for name in wanted if name in own}


def _assigned(statement: ast.stmt) -> dict[str, ast.expr]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return {statement.targets[0].id: statement.value}
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None:
        return {statement.target.id: statement.value}
    return {}


def _child(parent: ast.AST, name: str, module: str) -> ast.AST:
    for entry in getattr(parent, "body", []):
        if isinstance(entry, (ast.ClassDef, ast.FunctionDef)) and entry.name == name:
            return entry
    raise SourceMissing(f"{module} defines no {name}")
