"""``job.json``: what the host asks for. Unknown keys and wrong types are refused, not ignored."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from . import SCHEMA_VERSION
from .failures import RunnerError

ACTIONS = ("compile", "fingerprint", "capture")
_TYPES: dict[str, tuple[type, ...]] = {
    "schema_version": (int,),
    "action": (str,),
    "target": (str,),
    "model_path": (str,),
    "engine_args": (dict,),
    "usage_context": (str,),
    "environment": (dict,),
    "patches": (list,),
    "jobs": (int, type(None)),
    "output_dir": (str,),
    "cache_dir": (str,),
    "work_dir": (str,),
    "expected_fingerprint": (str, type(None)),
}


@dataclass(frozen=True)
class PatchRequest:
    """A remedy to apply: the id of a module in ``patches`` and its parameters."""

    id: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One run of the runner; paths are those of this side of the container."""

    action: str
    target: str
    model_path: str
    output_dir: str
    cache_dir: str
    work_dir: str
    engine_args: dict[str, Any] = field(default_factory=dict)
    usage_context: str = "OPENAI_API_SERVER"
    environment: dict[str, str] = field(default_factory=dict)
    patches: tuple[PatchRequest, ...] = ()
    jobs: int | None = None
    expected_fingerprint: str | None = None


def read_document(path: str) -> Any:
    """The decoded job file; raises ``RunnerError`` of kind ``internal`` (the host wrote it) when it cannot be read."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunnerError("internal", f"cannot read the job file {path}: {error}") from error


def output_dir_of(document: Any) -> str | None:
    """Where to report to, even when the rest of the job is malformed."""
    directory = document.get("output_dir") if isinstance(document, dict) else None
    return directory if isinstance(directory, str) else None


def parse_job(document: Any) -> Job:
    """A decoded ``job.json`` as a ``Job``."""
    if not isinstance(document, dict):
        raise RunnerError("internal", "the job file does not hold a JSON object")
    _check_types(document)
    values = {key: value for key, value in document.items() if key != "schema_version"}
    values["patches"] = tuple(_patch(entry) for entry in values.get("patches", []))
    missing = {f.name for f in fields(Job) if f.name not in values} & {
        "action", "target", "model_path", "output_dir", "cache_dir", "work_dir",
    }  # fmt: skip
    if missing:
        raise RunnerError("internal", f"the job file lacks {sorted(missing)}")
    return Job(**values)


def _check_types(document: dict[str, Any]) -> None:
    unknown = sorted(set(document) - set(_TYPES))
    if unknown:
        raise RunnerError("internal", f"the job file has unknown keys {unknown}")
    if document.get("schema_version") != SCHEMA_VERSION:
        raise RunnerError("internal", f"the job file has schema_version {document.get('schema_version')!r}, not 1")
    for key, value in document.items():
        wrong = not isinstance(value, _TYPES[key]) or (isinstance(value, bool) and bool not in _TYPES[key])
        if wrong:
            raise RunnerError("internal", f"the job file's {key} is a {type(value).__name__}")
    if document.get("action") not in ACTIONS:
        raise RunnerError("internal", f"unknown action {document.get('action')!r}; known: {list(ACTIONS)}")
    if document.get("jobs") is not None and document["jobs"] < 1:
        raise RunnerError("internal", "jobs must be at least 1")
    if not all(isinstance(value, str) for value in document.get("environment", {}).values()):
        raise RunnerError("internal", "environment values must be strings")


def _patch(entry: Any) -> PatchRequest:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str) or set(entry) - {"id", "parameters"}:
        raise RunnerError("internal", "a patch must be an object with id and, optionally, parameters")
    return PatchRequest(entry["id"], dict(entry.get("parameters") or {}))
