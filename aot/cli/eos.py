"""``aot eos check``: prove from a model's files that generation can stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aot.cli import display, progress
from aot.cli.common import output_options, parse_additional_config, serve_options
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
@serve_options
@output_options
def check_model(*, model: str, revision: str | None, as_json: bool, verbose: bool, **arguments: Any) -> int:
    """Compare what vLLM stops on with what the model's chat template ends a turn with.

    Reads config, generation config and tokenizer files of a Hub id or a directory, no weights.
    """
    from aot.check.eos import check
    from aot.model import fetch

    options = ServeOptions(
        tensor_parallel_size=arguments["tensor_parallel_size"],
        max_num_seqs=arguments["max_num_seqs"],
        additional_config=parse_additional_config(arguments["additional_config"]),
    )
    snapshot = fetch(
        model,
        revision,
        trust_remote_code=arguments["trust_remote_code"],
        progress=progress.choose(verbose=verbose),
    )
    report = check(snapshot.contents(), options)
    if as_json:
        display.document({"model": {"id": snapshot.id, "commit": snapshot.commit}, **report.to_json()})
    else:
        _show(snapshot, report)
    return 0 if report.ok else _failed(snapshot, report)


def _failed(snapshot: ModelSnapshot, report: EosReport) -> int:
    errors = [finding for finding in report.findings if finding.severity == "error"]
    problem = AotError(
        ErrorId.EOS_FAILED,
        reason=f"{snapshot.id}: {errors[0].reason}",
        remedy=errors[0].remedy,
    )
    display.error(problem, wants_json=False)  # the document, if asked for, is already printed
    return problem.exit_code


def _show(snapshot: ModelSnapshot, report: EosReport) -> None:
    stops = ", ".join(str(token_id) for token_id in report.stop_ids) or "nothing"
    verdict = click.style("ok", fg="green") if report.ok else click.style("failed", fg="red", bold=True)
    click.echo(f"{snapshot.id}: {verdict}; vLLM stops on {stops}")
    for source in report.sources:
        click.echo(f"  {_source(source)}")
    for end in report.turn_ends:
        number = "no token id" if end.id is None else str(end.id)
        click.echo(f"  chat template {end.template!r} ends an assistant's turn with {end.token} ({number})")
    for finding in report.findings:
        click.echo(f"{click.style(finding.severity, fg=_COLOURS[finding.severity])} [{finding.id}] {finding.reason}")
        for involved in finding.involved:
            click.echo(f"    {involved}")
        click.echo(f"    what to do: {finding.remedy}")


def _source(source: Source) -> str:
    ids = ", ".join(str(token_id) for token_id in source.ids) or "no id"
    text = f" {source.text}" if source.text else ""
    return f"{source.file}: {source.key}{text} = {ids}{'' if source.used else '  (not read by vLLM)'}"
