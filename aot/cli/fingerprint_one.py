"""``aot fingerprint MODEL ...`` and ``--command``: one hash, and what to know about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aot import serve_command, serve_fingerprint
from aot.cli import display
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aot.fingerprint import Fingerprint
    from aot.serve_fingerprint import Answer


def run(arguments: Sequence[str], options: dict[str, Any]) -> None:
    """Compute and print; md5, canonical text or document on stdout, everything else on stderr."""
    from aot.cli import progress

    question = serve_fingerprint.Question(
        command=options["command_line"],
        arguments=arguments,
        target=options["target"],
        toolchain=options["toolchain"],
        model_path=options["model_path"],
        model_source=options["model_dir"],
        env={**_of_file(options["env_file"]), **_of_options(options["env"])},
    )
    voice = progress.choose(verbose=False)
    asked = serve_fingerprint.read(question, voice)
    if not options["as_json"]:
        _introduce(asked)
    for warning in asked.warnings:
        voice.warn(warning)
    found = serve_fingerprint.answer(asked)
    if asked.not_in_hash and not options["as_json"]:
        display.say(f"not in the hash: {', '.join(asked.not_in_hash)}", err=True)
    if options["as_json"]:
        display.document(as_document(asked, found, canonical=options["canonical"]))
    elif options["canonical"]:
        click.echo(found.canonical_json, nl=False)  # to the byte what is hashed: pipe it into md5sum
    else:
        click.echo(found.md5)


def as_document(asked: Answer, found: Fingerprint, *, canonical: bool) -> dict[str, Any]:
    """The answer; with the fields of a request, so that ``aot explain`` and ``--requests`` take it."""
    request = asked.request
    document = {
        "md5": found.md5,
        "toolchain": asked.toolchain,
        "model_dir": request.model_dir,
        "hashed_because": asked.hashed_because,
        "config_from": asked.config_from,
        "engine_args": request.engine_args,
        "env": request.env,
        "detected_platform": request.detected_platform,
        "architecture": found.architecture,
        "not_in_hash": asked.not_in_hash,
        "warnings": asked.warnings,
        "hf_config": request.hf_config,
    }
    return {**document, "canonical_json": found.canonical_json} if canonical else document


def _introduce(asked: Answer) -> None:
    lines = [
        f"hashed model string: {asked.request.model_dir} ({asked.hashed_because})",
        f"config.json from {asked.config_from}, toolchain {asked.toolchain}, platform {_platform(asked)}",
    ]
    for line in lines:
        display.say(line, err=True)


def _platform(asked: Answer) -> str:
    override = asked.request.env.get("NEURON_PLATFORM_TARGET_OVERRIDE")
    return f"{override} (override)" if override else f"{asked.request.detected_platform} (detected)"


def _of_file(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        return serve_command.parse_env_file(path.read_text(encoding="utf-8"))
    except serve_command.CommandError as problem:
        raise AotError(ErrorId.USAGE, reason=f"{path}: {problem.message}", remedy=problem.remedy) from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise AotError(
            ErrorId.USAGE, reason=f"{path} cannot be read: {problem}", remedy="give a text file of NAME=VALUE lines"
        ) from problem


def _of_options(given: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    wrong = [name for name, equals, _ in pairs if not name or not equals]
    if wrong:
        raise AotError(
            ErrorId.USAGE, reason=f"--env {wrong[0]} is not NAME=VALUE", remedy="write --env NAME=VALUE, once for each"
        )
    return {name: value for name, _, value in pairs}
