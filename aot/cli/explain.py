"""``aot explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aot.cli import display
from aot.cli.common import store_option

if TYPE_CHECKING:
    from pathlib import Path

    from aot.explain.compare import Explanation


@click.command("explain")
@click.argument("left", metavar="A")
@click.argument("right", metavar="[B]", required=False)
@click.option("--upgrade-to", metavar="TOOLCHAIN", help="Instead of B: A itself, under another toolchain.")
@click.option(
    "--toolchain", metavar="NAME", help="For sides that name none  [default: the other side's, else that of inf2]"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Of the answer.",
)
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when the fingerprints differ.")
@store_option
def command(
    *,
    left: str,
    right: str | None,
    upgrade_to: str | None,
    toolchain: str | None,
    form: str,
    as_json: bool,
    exit_code: bool,
    store_path: Path,
) -> None:
    """Say why the fingerprints of A and B differ: first the flag, variable or file to change, then every field.

    A and B are each a request (FILE, or FILE#ID and FILE:LINE in a file of requests), a plan (`aot plan --json`), the
    result of a build, an artifact (tag, key, digest, oci:STORE:TAG, STORE@sha256:...), a neuron_config.json of any
    artifact, a pod's log that prints its configuration, or - for standard input.

    Where both sides state their inputs, causes are found by exchanging one input at a time and computing the
    fingerprint again. For a bare document the inputs are inferred, and marked so. Exit code 0 means that the question
    was answered, whatever the answer; see --exit-code.

    \b
    Examples:
      aot explain requests.jsonl#ours requests.jsonl#theirs
      aot explain oci:./store:qwen3 pod.log
      aot explain plan.json neuron_config.json --format markdown
      aot explain plan.json --upgrade-to sdk2.29.0      # will the upgrade invalidate everything?
    """
    if (right is None) == (upgrade_to is None):
        raise click.UsageError("give B, or --upgrade-to TOOLCHAIN instead of it")
    if left == right == "-":
        raise click.UsageError("standard input can be only one of the two")
    explanation = _explanation(left, right, upgrade_to, toolchain, store_path)
    _show(explanation, "json" if as_json else form)
    if exit_code and not explanation.equal:
        click.get_current_context().exit(1)


def _explanation(
    left: str, right: str | None, upgrade_to: str | None, named: str | None, store_path: Path
) -> Explanation:
    from aot import toolchain
    from aot.explain import readers
    from aot.explain.compare import explain, explain_upgrade

    chosen = toolchain.load(named).name if named else None
    default = chosen or toolchain.default_for("inf2").name
    first = readers.read(left, store_path).under(chosen)
    if upgrade_to is not None:
        return explain_upgrade(first, toolchain.load(upgrade_to).name, profile_of, default)
    assert right is not None  # noqa: S101 - narrowed by the caller
    return explain(first, readers.read(right, store_path).under(chosen), profile_of, default)


def profile_of(name: str) -> dict[str, object] | None:
    """The release's profile; None for a name that is no toolchain, which then is no path either."""
    from aot import toolchain

    return toolchain.load_profile(name) if name in toolchain.names() else None


def _show(explanation: Explanation, form: str) -> None:
    from aot.explain import render

    if form == "json":
        display.document(render.as_data(explanation))
    else:
        text = render.as_markdown(explanation) if form == "markdown" else render.as_text(explanation)
        display.say(text, nl=False)
