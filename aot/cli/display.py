"""stdout: results, as text or as one JSON document. Errors go to stderr, and into the document as well.

What is printed may quote a model's files, a log or a foreign artifact, so every line goes through ``clean``.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aot.errors import AotError

SCHEMA_VERSION = 1
LOG_TAIL_LINES = 15
_NOT_ASCII = re.compile(r"[^\n\x20-\x7e]")
_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)


def clean(text: str) -> str:
    """``text`` without what could repaint a terminal; on GitHub Actions, without what its runner would obey either."""
    shown = "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
    return without_commands(shown) if os.environ.get("GITHUB_ACTIONS") == "true" else shown


def clean_line(text: str) -> str:
    """``clean`` for what must stay on one line."""
    return clean(" ".join(re.split(r"[\r\n\t]+", text)))


def without_commands(text: str) -> str:
    """``text`` in which GitHub Actions finds no workflow command.

    Its runner takes ``::name::`` at the start of a line, and the older ``##[name]`` anywhere in one (actions/runner,
    ``ActionCommand.cs``).
    """
    return _COMMAND.sub(r"\1: ", text).replace("##[", "## [")


def say(text: str, *, mark: str = "", err: bool = False, nl: bool = True) -> None:
    """Print ``text``, cleaned. ``mark`` comes before it as it is: for colours of ours."""
    click.echo(mark + clean(text), err=err, nl=nl)


def document(body: Mapping[str, Any]) -> None:
    """Print the one JSON document of this call; ``schema_version`` comes first."""
    text = json.dumps({"schema_version": SCHEMA_VERSION, **body}, indent=2, ensure_ascii=False)
    text = _NOT_ASCII.sub(lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)
    click.echo(text.replace("##[", "##\\u005b"))  # the same document, see without_commands
    sys.stdout.flush()


def error_fields(error_id: str, reason: str, remedy: str, exit_code: int) -> dict[str, Any]:
    """The ``error`` object of a JSON document."""
    return {"id": error_id, "reason": reason, "remedy": remedy, "exit_code": exit_code}


def error(problem: AotError, *, wants_json: bool) -> None:
    """Reason, the end of the log if there is one, remedy and id on stderr; with ``--json`` a document on stdout too."""
    say(problem.reason, mark=f"{click.style('aot: error:', fg='red', bold=True)} ", err=True)
    for line in problem.facts.get("log_tail", ())[-LOG_TAIL_LINES:]:
        say(f"  | {clean_line(str(line))}", err=True)
    say(f"  what to do: {problem.remedy}", err=True)
    say(f"  error id: {problem.error_id.string_id} (exit code {problem.exit_code})", err=True)
    if wants_json:
        document({"error": fields_of(problem)})


def fields_of(problem: AotError) -> dict[str, Any]:
    """An ``AotError`` as the ``error`` object of a JSON document, its facts included."""
    fields = error_fields(problem.error_id.string_id, problem.reason, problem.remedy, problem.exit_code)
    return {**fields, **problem.facts}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns padded to their widest cell; plain text, so that it can be cut and grepped."""
    lines = [[clean_line(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for row in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """``name  value`` lines with the values aligned."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        say(f"{name.ljust(width)}  {clean_line(value)}")
