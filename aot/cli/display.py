"""stdout: results, as text or as one JSON document. Errors go to stderr, and into the document as well."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aot.errors import AotError

SCHEMA_VERSION = 1


def document(body: Mapping[str, Any]) -> None:
    """Print the one JSON document of this call; ``schema_version`` comes first."""
    text = json.dumps({"schema_version": SCHEMA_VERSION, **body}, indent=2, ensure_ascii=False)
    click.echo(text)
    sys.stdout.flush()


def error_fields(error_id: str, reason: str, remedy: str, exit_code: int) -> dict[str, Any]:
    """The ``error`` object of a JSON document."""
    return {"id": error_id, "reason": reason, "remedy": remedy, "exit_code": exit_code}


def error(problem: AotError, *, wants_json: bool) -> None:
    """Reason, remedy and id on stderr; with ``--json`` also a document on stdout."""
    click.echo(f"{click.style('aot: error:', fg='red', bold=True)} {problem.reason}", err=True)
    click.echo(f"  what to do: {problem.remedy}", err=True)
    click.echo(f"  error id: {problem.error_id.string_id} (exit code {problem.exit_code})", err=True)
    if wants_json:
        fields = error_fields(problem.error_id.string_id, problem.reason, problem.remedy, problem.exit_code)
        document({"error": {**fields, **problem.facts}})


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns padded to their widest cell; plain text, so that it can be cut and grepped."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """``name  value`` lines with the values aligned."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{name.ljust(width)}  {value}")


def size(count: int) -> str:
    """Bytes for people, in powers of 1024."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
