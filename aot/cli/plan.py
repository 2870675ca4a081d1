"""``aot plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aot.cli import display, progress
from aot.cli.common import build_request, lock_option, model_options, output_options, serve_options

if TYPE_CHECKING:
    from pathlib import Path

    from aot.plan import BuildPlan


@click.command()
@model_options
@serve_options
@lock_option
@output_options
def command(*, lock_path: Path, as_json: bool, verbose: bool, **arguments: Any) -> None:
    """Say what a build of MODEL would do, without starting anything.

    MODEL is a hub id or a local directory. Shows the key, the fingerprint the serving pod will compute, which known
    compiler failures this request is likely to meet and why, and the memory it is estimated to need.

    \b
    Examples:
      aot plan Qwen/Qwen3-8B --target inf2 -tp 2 --max-model-len 2048 --max-num-seqs 2
      aot plan ./my-model --target trn2 -tp 4 --json
    """
    from aot import plan, resolve

    request = build_request(arguments)
    result = plan.make(resolve.resolve(request, lock_path, progress.choose(verbose=verbose)))
    if as_json:
        display.document(as_document(result))
    else:
        show(result)


def as_document(result: BuildPlan) -> dict[str, Any]:
    """The plan as the ``--json`` document."""
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(result)
    return fields


def show(result: BuildPlan) -> None:
    """The plan as text."""
    fingerprint = result.fingerprint
    display.facts(
        [
            ("model", f"{result.model.id} @ {result.model.commit or 'local directory'}, served as {result.model.path}"),
            (
                "target",
                f"{result.target}, toolchain {result.toolchain.name}{' (SIMULATED)' if result.simulated else ''}",
            ),
            ("image", f"{result.toolchain.image}@{result.toolchain.digest or '(not locked)'}"),
            ("key", result.key or f"none yet: {result.key_reason}"),
            ("fingerprint", fingerprint.predicted or f"not predicted: {fingerprint.reason}"),
            ("serve", " ".join(["vllm serve", result.model.path, *result.serving.flags])),
        ]
    )
    if result.estimate is not None:
        click.echo(f"memory       {result.estimate.summary()}")
    for choice in result.chosen:
        click.echo(f"  chosen: {choice}")
    for warning in result.warnings:
        click.echo(f"  warning: {warning}")
    for risk in result.risks:
        click.echo(f"  risk: {risk.error} ({risk.confidence}): {risk.why}")
