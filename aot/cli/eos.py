"""``aot eos check``: prove from a model's files that generation can stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aot.cli import display, progress
from aot.cli.common import parse_additional_config
from aot.errors import AotError, ErrorId
from aot.request import ServeOptions

if TYPE_CHECKING:
    from aot.check.eos_report import EosReport, Source
    from aot.model import ModelSnapshot

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}


@click.group()
def command() -> None:
    """Check that generation can stop.

    \b
    Examples:
      aot eos check Qwen/Qwen3-8B
      aot eos check ./my-model --json
    """


@command.command("check")
@click.argument("model")
@click.option("--revision", metavar="REV", help="Branch, tag or commit of the model.")
@click.option("--trust-remote-code", is_flag=True, help="Fetch the repository's Python files too; nothing runs them.")
@click.option("--additional-config", metavar="JSON", help="As given to the server: says where sampling happens.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("--verbose", "-v", is_flag=True, help="Show findings that ask for nothing, too.")
def check_model(
    *,
    model: str,
    revision: str | None,
    trust_remote_code: bool,
    additional_config: str | None,
    as_json: bool,
    verbose: bool,
) -> int:
    """Compare what vLLM stops on with what the model's chat template ends a turn with.

    Reads config, generation config and tokenizer files of a Hub id or a directory, no weights. No serve option but
    --additional-config matters to it.
    """
    from aot.check.eos import check
    from aot.model import fetch

    options = ServeOptions(additional_config=parse_additional_config(additional_config))
    snapshot = fetch(model, revision, trust_remote_code=trust_remote_code, progress=progress.choose(verbose=verbose))
    report = check(snapshot.contents(), options)
    problem = None if report.ok else _failure(snapshot, report)
    if as_json:
        _document(snapshot, report, problem)
    else:
        _show(snapshot, report, verbose=verbose)
    if problem is None:
        return 0
    display.error(problem, wants_json=False)  # the document, if asked for, is already printed
    return problem.exit_code


def _failure(snapshot: ModelSnapshot, report: EosReport) -> AotError:
    first = next(finding for finding in report.findings if finding.severity == "error")
    return AotError(ErrorId.EOS_FAILED, reason=f"{snapshot.id}: {first.reason}", remedy=first.remedy)


def _document(snapshot: ModelSnapshot, report: EosReport, problem: AotError | None) -> None:
    body = {"model": {"id": snapshot.id, "commit": snapshot.commit}, **report.to_json()}
    display.document({**body, "error": display.fields_of(problem)} if problem else body)


def _show(snapshot: ModelSnapshot, report: EosReport, *, verbose: bool) -> None:
    stops = ", ".join(str(token_id) for token_id in report.stop_ids) or "nothing"
    verdict = click.style("ok", fg="green") if report.ok else click.style("failed", fg="red", bold=True)
    click.echo(f"{display.clean_line(snapshot.id)}: {verdict}; vLLM stops on {stops}")
    for source in report.sources:
        display.say(f"  {display.clean_line(_source(source))}")
    for end in report.turn_ends:
        number = "no token id" if end.id is None else str(end.id)
        display.say(f"  chat template {end.template!r} ends an assistant's turn with {end.token} ({number})")
    for finding in report.findings:
        if finding.severity == "info" and not verbose:
            continue
        severity = click.style(finding.severity, fg=_COLOURS[finding.severity])
        display.say(f"[{finding.id}] {finding.reason}", mark=f"{severity} ")
        for involved in finding.involved:
            display.say(f"    {involved}")
        display.say(f"    what to do: {finding.remedy}")


def _source(source: Source) -> str:
    ids = ", ".join(str(token_id) for token_id in source.ids) or "no id"
    text = f" {source.text}" if source.text else ""
    return f"{source.file}: {source.key}{text} = {ids}{'' if source.used else '  (not read by vLLM)'}"
