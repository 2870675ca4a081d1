"""``aot fingerprint``: serve-time hashes from JSON Lines, without an image, a device or a network."""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.fingerprint import FingerprintError


@click.command("fingerprint")
@click.option(
    "--requests", type=click.File("rb"), required=True, metavar="FILE|-", help="Requests, one JSON object a line."
)
@click.option("--canonical", is_flag=True, help="Add canonical_json, the text whose md5 is given.")
def command(requests: IO[bytes], canonical: bool) -> None:
    """Compute the hash that vLLM's Neuron plugin computes when it serves, for many requests at once.

    Each line of FILE is an object with toolchain, model_dir (the model string, verbatim), hf_config (config.json),
    engine_args, env, detected_platform and id. Each answer is a line, in the same order: {"id", "md5"}, or {"id",
    "error": {"type", "message"}} where type is refused (the server would refuse too), invalid_request, or not_covered
    (run the image itself instead). One bad line does not stop the others.

    \b
    Examples:
      aot fingerprint --requests requests.jsonl
      aot fingerprint --requests - --canonical < requests.jsonl
    """
    for line in requests:
        if line.strip():
            sys.stdout.write(json.dumps(answer(line, canonical=canonical)) + "\n")
            sys.stdout.flush()  # a caller may wait for each answer before it asks again


def answer(line: bytes, *, canonical: bool) -> dict[str, Any]:
    """The answer to one line of the request file; never raises."""
    from aot.fingerprint import FingerprintError, InvalidRequest

    identity = None
    try:
        document = _parse(line)
        identity = document.get("id")
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


@cache
def _profile(name: str) -> dict[str, Any] | None:
    """The release's profile, or None where the toolchain is unknown or was never measured."""
    from aot import resources
    from aot.fingerprint.profile import check

    directory = resources.manifests() / "toolchains"
    if name not in {path.parent.name for path in directory.glob("*/profile.json")}:
        return None
    profile: dict[str, Any] = json.loads((directory / name / "profile.json").read_bytes())
    check(profile)
    return profile


def _error(error: FingerprintError) -> dict[str, str]:
    message = f"{error.message}; {error.remedy}" if error.remedy else error.message
    return {"type": error.kind, "message": message}
