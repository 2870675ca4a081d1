"""``aot errors``: explain a compiler log, list and show the known failures."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aot.cli import display
from aot.cli.common import json_option

if TYPE_CHECKING:
    from aot.compile.explain import Finding
    from aot.compile.failure import FailedModule
    from aot.compile.known_errors import KnownError


@click.group()
def command() -> None:
    """Known compiler failures: explain a log, list, show.

    \b
    Examples:
      aot errors explain build.log
      docker logs build 2>&1 | aot errors explain - --json
      aot errors show NCC_IXCG856
    """


@command.command()
@click.argument("log")
@json_option
def explain(*, log: str, as_json: bool) -> None:
    """Say what failed in LOG (a file, or - for stdin), why, and what to do. Finding nothing is an answer too."""
    from aot.compile.explain import explain as explain_failures

    findings = explain_failures(_read(log))
    if as_json:
        import msgspec

        display.document({"findings": msgspec.to_builtins(findings)})
    elif not findings:
        display.say("no failure found in this log")
    for finding in [] if as_json else findings:
        _show_finding(finding)


@command.command("list")
@json_option
def list_errors(*, as_json: bool) -> None:
    """List the catalogue, most specific entries first."""
    from aot.compile.known_errors import catalogue

    if as_json:
        import msgspec

        display.document({"errors": msgspec.to_builtins(catalogue())})
        return
    rows = [(entry.id, entry.kind, entry.confidence, entry.name) for entry in catalogue()]
    display.table(("ID", "CLASS", "CONFIDENCE", "NAME"), rows)


@command.command()
@click.argument("error_id", metavar="ID")
@json_option
def show(*, error_id: str, as_json: bool) -> None:
    """Show one entry of the catalogue, by id or code."""
    from aot.compile.known_errors import find
    from aot.errors import AotError, ErrorId

    entry = find(error_id)
    if entry is None:
        raise AotError(
            ErrorId.USAGE,
            reason=f"there is no single known error {error_id!r}",
            remedy="`aot errors list` prints the ids; several may share one code",
        )
    if as_json:
        import msgspec

        display.document({"error_entry": msgspec.to_builtins(entry)})
    else:
        _show_entry(entry)


def _read(log: str) -> list[FailedModule]:
    from aot.compile.log import read_stream
    from aot.errors import AotError, ErrorId

    try:
        if log == "-":
            if sys.stdin is None:  # started with its standard input closed
                raise OSError(errno.EBADF, "standard input is closed")  # noqa: TRY301
            return read_stream(sys.stdin.buffer)
        with Path(log).open("rb") as stream:
            return read_stream(stream)
    except OSError as problem:
        raise AotError(
            ErrorId.LOG_UNREADABLE,
            reason=f"cannot read {log!r}: {problem.strerror or problem}",
            remedy="give a readable file, or - for standard input",
        ) from problem


def _show_finding(finding: Finding) -> None:
    where = " ".join(part for part in (finding.graph, finding.bucket) if part) or "a graph the log does not name"
    click.secho(display.clean_line(f"{finding.id}: {finding.name}"), bold=True)
    display.say(f"  where       {where} (line {finding.line})")
    if finding.tensors:
        display.say(f"  tensors     {' + '.join(map(str, finding.tensors))}")
    if finding.arithmetic is not None:
        display.say(f"  arithmetic  {finding.arithmetic['text']}")
    display.say(f"  cause       {finding.cause} [{finding.cause_confidence or 'unknown'}]")
    display.say(f"  what to do  {finding.workaround}")
    for step in finding.ladder:
        who = "aot build applies it" if step.automatic else "only by your choice"
        changes = "changes the fingerprint" if step.changes_fingerprint else "keeps the fingerprint"
        display.say(f"  remedy      {step.id}: {step.does} ({who}; {changes})")
    if finding.also:
        display.say(f"  also        {', '.join(finding.also)} (see `aot errors show`)")
    if finding.link:
        display.say(f"  see         {finding.link}")
    for line in [] if finding.confidence else finding.excerpt:
        display.say(f"  | {display.clean_line(line)}")


def _show_entry(entry: KnownError) -> None:
    from aot.compile.remedies import ladder

    pairs = [
        ("id", entry.id),
        ("name", entry.name),
        ("class", entry.kind),
        ("confidence", entry.confidence),
        ("targets", ", ".join(entry.targets) or "any"),
        ("graphs", ", ".join(entry.graphs) or "any"),
        ("seen with", entry.seen_with or "-"),
        ("cause", f"{entry.cause} [{entry.cause_confidence or entry.confidence}]"),
        ("what to do", f"{entry.workaround} [{entry.workaround_confidence or entry.confidence}]"),
        *(("remedy", f"{step.id}: {step.does}") for step in ladder(entry)),
        ("link", ", ".join([link for link in (entry.link, *entry.more_links) if link]) or "-"),
        ("can go when", entry.remove_when),
    ]
    display.facts(pairs)
