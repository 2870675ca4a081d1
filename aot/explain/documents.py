"""JSON documents as sides: requests, plans, results of builds, records, configurations."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from aot.errors import AotError, ErrorId
from aot.explain.inputs import Known
from aot.explain.resolve import md5_of
from aot.explain.side import Side, request_side
from aot.fingerprint import InvalidRequest, parse_request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aot.artifact.record import Record

_REFORMATTED = "the text is not spelled as NxDI writes it, so the md5 is that of the spelling it would have"


def side(label: str, document: dict[str, Any], content: bytes, default_store: Path) -> Side | None:
    """The side that a JSON object is, by its keys; None for one of an unknown kind. Raises ``EXPLAIN_INPUT``."""
    if {"model_dir", "hf_config"} & document.keys():
        return _request(label, document)
    if document.get("kind") == "vllm-neuron" and "canonical_json" in document:
        return _record(label, content)
    if isinstance(document.get("error"), dict):
        raise _unusable(label, "it is the document of a call that failed", "fix that failure first, see its error.id")
    if isinstance(document.get("artifact"), dict) and "reference" in document["artifact"]:
        return artifact(str(document["artifact"]["reference"]), default_store)
    if {"options", "toolchain", "fingerprint"} <= document.keys():
        return _plan(label, document)
    if isinstance(document.get("neuron_config"), dict):
        return _configuration(label, document, content)
    if isinstance(document.get("canonical_json"), str):
        return _canonical(label, document["canonical_json"])
    return None


def artifact(reference: str, default_store: Path) -> Side:
    """An artifact in a local store. Raises the errors of ``aot.storage``."""
    from aot.storage.local import LocalStore
    from aot.storage.reference import parse_reference

    parsed = parse_reference(reference, default_store)
    stored = LocalStore(parsed.store).open().resolve(parsed.name)
    return record_side(stored.reference, stored.record)


def record_side(label: str, record: Record) -> Side:
    """What an artifact's record states; ``canonical_json`` is what the server's own code computed in the image."""
    known = Known(
        model_dir=record.model.path,
        engine_args=record.request.options.engine_args(),
        env=record.serving.environment,
        detected_platform=record.request.target,
        toolchain=record.toolchain.name,
    )
    outside = {
        "target": record.request.target,
        "compiler flags": record.request.compiler_flags,
        "model commit": record.model.commit,
        "remedies": [each.id for each in record.remedies],
        "simulated": record.simulated,
    }
    document = _parsed(label, record.canonical_json)
    return Side(
        label=label,
        kind="artifact",
        known=known,
        document=document,
        md5=_md5(record.canonical_json),
        outside=outside,
    )


def _request(label: str, document: dict[str, Any]) -> Side:
    try:
        request = parse_request(document)
    except InvalidRequest as problem:
        raise _unusable(label, problem.message, problem.remedy) from problem
    name = document.get("toolchain")
    if name is not None and not isinstance(name, str):
        raise _unusable(label, "toolchain is not a string", "name one of `aot toolchain list`")
    return request_side(label, request, name)


def _record(label: str, content: bytes) -> Side:
    from aot.artifact import record

    return record_side(label, record.decode(content))


def _plan(label: str, document: Mapping[str, Any]) -> Side:
    """A plan: its options are explicit, and where the fingerprint was predicted its text is there too."""
    try:
        text = document["fingerprint"]["canonical_json"]
        known = Known(
            model_dir=document["model"]["path"],
            engine_args={name: value for name, value in document["options"].items() if value is not None},
            env=document["serving"]["environment"],
            detected_platform=document["target"],
            toolchain=document["toolchain"]["name"],
        )
        outside = {
            "target": document["target"],
            "compiler flags": document["request"]["compiler_flags"],
            "model commit": document["model"]["commit"],
        }
    except (KeyError, TypeError, AttributeError) as problem:
        raise _unusable(
            label, f"it looks like a plan, but lacks {problem}", "print it anew: aot plan --json"
        ) from problem
    wrong = [
        name
        for name, value, kind in (
            ("model.path", known.model_dir, str),
            ("serving.environment", known.env, dict),
            ("target", known.detected_platform, str),
            ("toolchain.name", known.toolchain, str),
        )
        if not isinstance(value, kind)
    ]
    if wrong:
        raise _unusable(label, f"{wrong[0]} in it is malformed", "print it anew: aot plan --json")
    if text is None:
        raise _unusable(
            label, f"its fingerprint was not predicted: {document['fingerprint'].get('reason')}", "explain the artifact"
        )
    return Side(
        label=label,
        kind="plan",
        known=known,
        document=_parsed(label, text),
        md5=_md5(str(text)),
        outside=outside,
    )


def _configuration(label: str, document: dict[str, Any], content: bytes) -> Side:
    """``neuron_config.json``: the hashed text and one newline (NxDI, models/config.py ``to_json_file``)."""
    text = content.decode("utf-8", "replace").removesuffix("\n")
    md5 = md5_of(document)
    notes = () if md5 == _md5(text) else (_REFORMATTED,)
    return Side(label=label, kind="neuron_config", document=document, md5=md5, notes=notes)


def _canonical(label: str, text: str) -> Side:
    return Side(label=label, kind="neuron_config", document=_parsed(label, text), md5=_md5(text))


def _parsed(label: str, text: Any) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _unusable(label, "its canonical_json is no JSON object", "build or plan again")
    return document


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _unusable(label: str, why: str, remedy: str) -> AotError:
    return AotError(ErrorId.EXPLAIN_INPUT, reason=f"{label} cannot be explained: {why}", remedy=remedy)
