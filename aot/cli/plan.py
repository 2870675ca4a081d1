"""``aot plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aot.cli import display, engines, plan_exact, progress
from aot.cli.common import build_request, lock_option, model_options, output_options, serve_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aot.plan import BuildPlan
    from aot.progress import Progress
    from aot.request import BuildRequest


ASK = " (--exact asks the image now)"


@click.command()
@model_options
@serve_options
@lock_option
@click.option("--exact", is_flag=True, help="Also compute the fingerprint in the image, with the server's own code.")
@click.option("--allow-mismatch", is_flag=True, help="With --exact: a difference is shown, and is no error.")
@engines.engine_options
@output_options
def command(*, as_json: bool, verbose: bool, **arguments: Any) -> int:
    """Say what a build of MODEL would do, without compiling anything.

    MODEL is a hub id or a local directory. Shows the key, the fingerprint the serving pod will compute, which known
    compiler failures this request is likely to meet and why, and the memory it is estimated to need. --exact runs the
    toolchain's image for the fingerprint (it needs the image, no device and no store); without it nothing is started.

    \b
    Examples:
      aot plan Qwen/Qwen3-8B --target inf2 -tp 2 --max-model-len 2048 --max-num-seqs 2
      aot plan ./my-model --target trn2 -tp 4 --json
      aot plan Qwen/Qwen3-8B -tp 2 --max-model-len 2048 --exact
    """
    request = build_request(arguments)
    voice = progress.choose(verbose=verbose)
    if arguments["exact"]:
        return _exact(request, arguments, voice, as_json=as_json)
    from aot import plan, resolve

    result = plan.make(resolve.resolve(request, arguments["lock_path"], voice))
    if as_json:
        display.document(as_document(result))
    else:
        show(result)
    return 0


def _exact(request: BuildRequest, arguments: dict[str, Any], voice: Progress, *, as_json: bool) -> int:
    """Plan and ask the image; the exit status of a difference unless it is allowed."""
    from aot import exact, mismatch, toolchain
    from aot.compile.jobs import RunSettings

    engines.check(arguments["engine_name"], simulate=request.simulate)
    chain = toolchain.choose(request.toolchain, request.target)
    planned, found = exact.run(
        request,
        lambda: engines.make(arguments["engine_name"], chain.name, voice),
        RunSettings(lock_path=arguments["lock_path"], **engines.run_settings(arguments)),
        voice,
    )
    wrong = found.verdict(planned.fingerprint.predicted) == "different" and not arguments["allow_mismatch"]
    problem = mismatch.explained(planned, found.canonical_json) if wrong else None
    if as_json:
        body = plan_exact.as_document(planned, found)
        display.document({**body, "error": display.fields_of(problem)} if problem else body)
    else:
        show(planned, plan_exact.lines(planned, found))
    if problem is not None:
        display.error(problem, wants_json=False)
        return problem.exit_code
    return 0


def as_document(result: BuildPlan) -> dict[str, Any]:
    """The plan as the ``--json`` document."""
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(result)
    return fields


def show(result: BuildPlan, found: Sequence[str] = ()) -> None:
    """The plan as text; ``found`` is what the image says about the fingerprint."""
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
            ("fingerprint", fingerprint.predicted or f"not predicted: {fingerprint.reason}{'' if found else ASK}"),
            *(("", line) for line in found),
            ("serve", " ".join(["vllm serve", result.model.path, *result.serving.flags])),
        ]
    )
    if result.estimate is not None:
        display.say(f"memory       {result.estimate.summary()}")
    for choice in result.chosen:
        display.say(f"  chosen: {choice}")
    for warning in result.warnings:
        display.say(f"  warning: {warning}")
    for risk in result.risks:
        display.say(f"  risk: {risk.error} ({risk.confidence}): {risk.why}")
