"""``aot fingerprint``: serve-time hashes from flags, a command line or JSON Lines, without image or device."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from aot.request import TARGETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.fingerprint import FingerprintError


_NOT_WITH_REQUESTS = ("toolchain", "model_path", "model_dir", "env", "env_file", "as_json")
"""Each request brings its own; answers are JSON Lines anyway."""


@click.command(
    "fingerprint",
    # vLLM's own flags are read by vLLM's rules (aot.serve_command); -h must not be found inside its -dph.
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[MODEL [FLAGS OF VLLM SERVE]...]")
@click.option("--command", "command_line", metavar="TEXT", help="A whole command line that starts the server.")
@click.option("--requests", type=click.File("rb"), metavar="FILE|-", help="Many requests, one JSON object a line.")
@click.option(
    "--target", type=click.Choice(TARGETS), default=TARGETS[0], show_default=True, help="What the device reports."
)
@click.option("--toolchain", metavar="NAME", help="See `aot toolchain list`  [default: by target]")
@click.option("--model-path", metavar="PATH", help="The model string to hash, verbatim, in place of the one given.")
@click.option("--model-dir", metavar="DIR|ID", help="Where to read config.json, if not from the model given.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="A variable of the server; may be repeated.")
@click.option("--env-file", type=click.Path(path_type=Path), metavar="FILE", help="Such variables, one a line.")
@click.option("--canonical", is_flag=True, help="Give canonical_json, the text whose md5 is the hash.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(arguments: tuple[str, ...], requests: IO[bytes] | None, **options: Any) -> None:
    """Compute the hash that vLLM's Neuron plugin computes when it serves, without an image or a device.

    MODEL is a directory, hashed as given, or a hub id, hashed as /models/<org>/<name>; --model-path overrides both.
    Flags are those of `vllm serve` in any of its spellings; a flag that is absent is left to vLLM's default, not to
    aot's. With --command the whole command line is read, the model string hashed as it stands there.

    Each line of a FILE of requests is an object with toolchain, model_dir (the model string, verbatim), hf_config
    (config.json), engine_args, env, detected_platform and id. Each answer is a line, in the same order: {"id", "md5"},
    or {"id", "error": {"type", "message"}} where type is refused (the server would refuse too), invalid_request, or
    not_covered (run the image itself instead). One bad line does not stop the others.

    \b
    Examples:
      aot fingerprint ./Qwen3-8B -tp 2 --max-model-len 2048 --max-num-seqs 2 --no-enable-prefix-caching
      aot fingerprint --command "vllm serve /models/Qwen/Qwen3-8B -tp 2 --max-model-len 8k --block-size 32" \\
        --model-dir ./Qwen3-8B --env-file server.env
      aot fingerprint --requests - --canonical < requests.jsonl
    """
    if (requests is not None) + (options["command_line"] is not None) + bool(arguments) != 1:
        raise click.UsageError("give one of MODEL with flags, --command, or --requests")
    ignored = [name for name in _NOT_WITH_REQUESTS if options[name]]
    if requests is not None and ignored:
        raise click.UsageError(f"--{ignored[0].removeprefix('as_').replace('_', '-')} does not go with --requests")
    if requests is None:
        from aot.cli import fingerprint_one

        fingerprint_one.run(arguments, options)
        return
    for line in requests:
        if line.strip():
            sys.stdout.write(json.dumps(answer(line, canonical=options["canonical"])) + "\n")
            sys.stdout.flush()  # a caller may wait for each answer before it asks again


def answer(line: bytes, *, canonical: bool) -> dict[str, Any]:
    """The answer to one line of the request file; never raises."""
    from aot.fingerprint import FingerprintError, InvalidRequest

    identity = None
    try:
        document = _parse(line)
        identity = _identity(document)
        return {"id": identity, **_compute(document, canonical=canonical)}
    except FingerprintError as error:
        return {"id": identity, "error": _error(error)}
    except (RecursionError, MemoryError):
        return {"id": identity, "error": _error(InvalidRequest("the request is too large or nested too deeply"))}


def _parse(line: bytes) -> dict[str, Any]:
    from aot.fingerprint import InvalidRequest

    try:
        document = json.loads(line)
    except ValueError as problem:  # malformed JSON, bytes that are no UTF-8, an integer of thousands of digits
        raise InvalidRequest(f"the line is not valid JSON: {problem}", "give one JSON object a line") from problem
    if not isinstance(document, dict):
        raise InvalidRequest("the line is not a JSON object", "give one JSON object a line")
    return document


def _identity(document: Mapping[str, Any]) -> Any:
    """The id, if it can be written back: Python reads NaN and Infinity, which are no JSON."""
    from aot.fingerprint import InvalidRequest

    identity = document.get("id")
    try:
        json.dumps({"id": identity}, allow_nan=False)
    except ValueError as problem:
        raise InvalidRequest("the id holds NaN or Infinity, which is no JSON", "give a string or number") from problem
    return identity


def _compute(document: Mapping[str, Any], *, canonical: bool) -> dict[str, Any]:
    from aot.fingerprint import InvalidRequest, NotCovered, compute, parse_request

    name = document.get("toolchain")
    if not isinstance(name, str):
        raise InvalidRequest("the request names no toolchain", "give toolchain, see `aot toolchain list`")
    profile = _profile(name)
    if profile is None:
        raise NotCovered(f"there is no fingerprint profile for the toolchain {name!r}")
    result = compute(parse_request(document), profile)
    return {"md5": result.md5, "canonical_json": result.canonical_json} if canonical else {"md5": result.md5}


def _profile(name: str) -> dict[str, Any] | None:
    """The release's profile, or None where the toolchain is unknown or was never measured."""
    from aot import toolchain

    return toolchain.load_profile(name) if name in toolchain.names() else None


def _error(error: FingerprintError) -> dict[str, str]:
    message = f"{error.message}; {error.remedy}" if error.remedy else error.message
    return {"type": error.kind, "message": message}
