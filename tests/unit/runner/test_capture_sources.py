"""Reading source text: modules without importing them, literals, the kwargs.pop idiom, digests of code."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from aot.runner.capture.code import digest
from aot.runner.capture.pops import assignments, pops
from aot.runner.capture.sources import SourceMissing, Sources
from aot.runner.capture.values import NotLiteral, parameters, value


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def function(text: str) -> ast.FunctionDef:
    found = ast.parse(text).body[0]
    assert isinstance(found, ast.FunctionDef)
    return found


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that must never be imported."""
    root = tmp_path / "unimportable"
    (root / "inner").mkdir(parents=True)
    (root / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (root / "inner" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (root / "inner" / "limits.py").write_text("LIMIT = 512\nPAIR = (False, True)\n")
    (root / "inner" / "config.py").write_text(
        "from unimportable.inner.limits import LIMIT, PAIR\nOWN = 2 * 3\nclass Config:\n    def go(self): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return root


def test_a_module_is_found_and_parsed_without_being_imported(package: Path) -> None:
    sources = Sources()
    assert sources.path("unimportable.inner.config") == package / "inner" / "config.py"
    assert sources.function("unimportable.inner.config", "Config", "go").name == "go"
    assert not any(name.startswith("unimportable") for name in sys.modules)


def test_constants_of_a_neighbour_are_resolved(package: Path) -> None:
    names = Sources().constants("unimportable.inner.config")
    assert value(expression("LIMIT"), names) == 512
    assert value(expression("PAIR[1]"), names) is True
    assert value(expression("OWN"), names) == 6


@pytest.mark.parametrize(
    ("module", "names"),
    [("unimportable.inner.config", ("Config", "stop")), ("unimportable.absent", ()), ("no_such_package.x", ())],
)
def test_what_is_not_there_is_missing(package: Path, module: str, names: tuple[str, ...]) -> None:
    with pytest.raises(SourceMissing):
        Sources().find(module, *names) if names else Sources().tree(module)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4096 * 32", 131072),
        ("-1e-06", -1e-06),
        ("{'a': [1, None]}", {"a": [1, None]}),
        ("float('inf')", float("inf")),
        ("torch.float8_e4m3fn", "float8_e4m3fn"),
        ("()", []),
    ],
)
def test_literals(text: str, expected: object) -> None:
    found = value(expression(text))
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("text", ["self.seq_len", "get_platform_lnc()", "[self.seq_len]", "LIMIT", "{**other}"])
def test_what_is_computed_is_no_literal(text: str) -> None:
    with pytest.raises(NotLiteral):
        value(expression(text))


CONSTRUCTOR = """
def __init__(self, plain=1, *, only=None, needed, **kwargs):
    self.a = kwargs.pop("a", 1)
    self.b = kwargs.pop("b")
    if "c" in kwargs:
        self.c = kwargs.pop("c", 2)
        self.a = 3
    other.pop("d", 4)
"""


def test_options_taken_from_kwargs() -> None:
    found = pops(function(CONSTRUCTOR))
    assert [(pop.name, pop.default is None, pop.conditional) for pop in found] == [
        ("a", False, False),
        ("b", True, False),
        ("c", False, True),
    ]


def test_assignments_know_whether_they_always_happen() -> None:
    found = [(name, conditional) for name, _, conditional in assignments(function(CONSTRUCTOR))]
    assert found == [("a", False), ("b", False), ("c", True), ("a", True)]


def test_parameters_with_a_default() -> None:
    assert {name: value(default) for name, default in parameters(function(CONSTRUCTOR)).items()} == {
        "plain": 1,
        "only": None,
    }


def test_a_digest_ignores_what_does_not_run() -> None:
    plain = digest(function("def f(x):\n    return x + 1\n"))
    assert plain == digest(function('def f(x):\n    """Says so."""\n    # and why\n    return (x +\n            1)\n'))
    assert plain != digest(function("def f(x):\n    return x + 1.0\n"))
    assert plain != digest(function("def f(x):\n    return x + True\n"))
    assert plain != digest(function("def f(y):\n    return y + 1\n"))


def test_a_digest_is_the_same_on_every_python() -> None:
    """Measured on 3.10 to 3.13 with one text: digests are compared between images with different interpreters."""
    text = "def f(x: int, *, y=None) -> str:\n    return f'{x!r:>{y}} and {y}'\n"
    assert digest(function(text)) == "a59ba69ef7061098"
