"""``aot build``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from aot import units
from aot.cli import display, engines, progress
from aot.cli.common import build_request, lock_option, model_options, output_options, serve_options, store_option

if TYPE_CHECKING:
    from aot.build import Outcome, Settings


@click.command()
@model_options
@serve_options
@store_option
@lock_option
@engines.engine_options
@click.option(
    "--eos",
    type=click.Choice(["error", "warn", "off"]),
    default="error",
    show_default=True,
    help="Where generation may not stop: refuse, warn, or do not look.",
)
@click.option("--allow-mismatch", is_flag=True, help="Keep an artifact whose fingerprint was predicted differently.")
@click.option("--attempts", type=click.IntRange(1, 10), default=3, show_default=True, help="Compiles at most.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Compilers at once.")
@click.option("--rebuild", is_flag=True, help="Compile although the store has it, and replace it.")
@click.option("--keep-container", is_flag=True, help="Leave it for docker logs and inspect; its files are removed.")
@output_options
def command(*, as_json: bool, verbose: bool, **arguments: Any) -> None:
    """Compile MODEL ahead of time into a content-addressed artifact.

    MODEL is a hub id or a local directory. Only configuration and tokenizer files are fetched: compiling needs no
    weights. A known compiler crash is recognised, patched around and retried; what was done is said and recorded.
    What is already in the store is returned at once.

    \b
    Examples:
      aot build Qwen/Qwen3-8B --target inf2 -tp 2 --max-model-len 2048 --max-num-seqs 2
      aot build ./my-model --target trn2 -tp 4 --store ./store --json
      aot build Qwen/Qwen3-8B --simulate --engine local        # no Docker, no real NEFFs
    """
    from aot import build, toolchain
    from aot.storage.local import LocalStore

    request = build_request(arguments)
    voice = progress.choose(verbose=verbose)
    engines.check(arguments["engine_name"], simulate=request.simulate)
    outcome = build.build(
        request,
        LocalStore(arguments["store_path"]),
        lambda: engines.make(arguments["engine_name"], toolchain.choose(request.toolchain, request.target).name, voice),
        _settings(arguments),
        voice,
    )
    if as_json:
        display.document(as_document(outcome))
    else:
        _show(outcome)


def _settings(arguments: dict[str, Any]) -> Settings:
    from aot import build

    return build.Settings(
        lock_path=arguments["lock_path"],
        eos=arguments["eos"],
        allow_mismatch=arguments["allow_mismatch"],
        attempts=arguments["attempts"],
        jobs=arguments["jobs"],
        rebuild=arguments["rebuild"],
        keep_container=arguments["keep_container"],
        **engines.run_settings(arguments),
    )


def as_document(outcome: Outcome) -> dict[str, Any]:
    """The ``--json`` document of a build."""
    import msgspec

    facts = outcome.stored.record
    return {
        "artifact": {
            "reference": outcome.stored.reference,
            "digest": outcome.stored.digest,
            "key": facts.key,
            "size": outcome.stored.size,
        },
        "fingerprint": {
            "predicted": outcome.plan.fingerprint.predicted,
            "found": facts.fingerprint.found,
            "reason": outcome.plan.fingerprint.reason,
            "mismatch_allowed": facts.fingerprint.mismatch_allowed,
        },
        "attempts": [msgspec.to_builtins(attempt) for attempt in outcome.attempts],
        "remedies": [msgspec.to_builtins(remedy) for remedy in facts.remedies],
        "eos": msgspec.to_builtins(facts.eos),
        "model": {"id": facts.model.id, "commit": facts.model.commit, "path": facts.model.path},
        "toolchain": {"name": facts.toolchain.name, "digest": facts.toolchain.digest},
        "target": facts.request.target,
        "serving": msgspec.to_builtins(facts.serving),
        "downloaded_bytes": outcome.downloaded_bytes,
        "simulated": facts.simulated,
        "reused": outcome.reused,
    }


def _show(outcome: Outcome) -> None:
    facts = outcome.stored.record
    same = {True: "equal", False: "DIFFERENT", None: "not predicted"}
    predicted = outcome.plan.fingerprint.predicted
    verdict = same[None if predicted is None else predicted == facts.fingerprint.found]
    display.facts(
        [
            ("artifact", outcome.stored.reference),
            ("digest", outcome.stored.digest),
            ("size", units.size(outcome.stored.size)),
            ("fingerprint", f"{facts.fingerprint.found} ({verdict})"),
            ("attempts", str(len(outcome.attempts)) if not outcome.reused else "none, already built"),
            ("remedies", ", ".join(f"{remedy.id} (for {remedy.error})" for remedy in facts.remedies) or "none needed"),
            ("stops on", ", ".join(map(str, facts.eos.stop_ids))),
        ]
    )
    if facts.simulated:
        display.say(f"note: {facts.note}. Both fingerprints are implementations of ours.")
    reference = outcome.stored.reference
    display.say(f"next: aot values {_quoted(reference)} --repository REGISTRY/REPO")


def _quoted(reference: str) -> str:
    import shlex

    return shlex.quote(os.fspath(reference))
