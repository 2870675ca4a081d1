"""A server's flags or command line -> the serve-time hash: the reading around ``serve_command`` and ``fingerprint``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aot import hash_warnings, serve_command, toolchain
from aot.errors import AotError, ErrorId
from aot.fingerprint import Fingerprint, FingerprintError, FingerprintRequest, InvalidRequest, NotCovered, compute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aot.progress import Progress
    from aot.request import Target
    from aot.serve_command import ServeCommand


@dataclass(frozen=True)
class Question:
    """What is asked: a whole ``command``, or the ``arguments`` of ``vllm serve``.

    ``model_path`` is hashed in place of the model's string, ``model_source`` (a directory or hub id) read in its place.
    ``env`` holds variables of the process besides those set in the command.
    """

    command: str | None
    arguments: Sequence[str]
    target: Target
    toolchain: str | None
    model_path: str | None
    model_source: str | None
    env: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """``hashed_because`` says where the hashed model string comes from, ``config_from`` where config.json was read."""

    request: FingerprintRequest
    toolchain: str
    hashed_because: str
    config_from: str
    not_in_hash: list[str]
    warnings: list[str]


def read(question: Question, progress: Progress) -> Answer:
    """Understand the question and read the model's config.json. Raises ``SERVE_COMMAND`` and the errors of models."""
    chain = toolchain.choose(question.toolchain, question.target)
    table = toolchain.load_flags(chain.name)
    profile = toolchain.load_profile(chain.name)
    if table is None or profile is None:
        raise _unmeasured(chain.name)
    command = parse(question, table)
    source = question.model_source or command.model
    hashed, because = _hashed(question, command)
    request = serve_command.to_request(
        command, _config(source, question, command, progress), question.target, question.env, hashed
    )
    return Answer(
        request=request,
        toolchain=chain.name,
        hashed_because=because,
        config_from=source,
        not_in_hash=serve_command.outside_the_hash(command, request, question.env),
        warnings=[*command.notes, *hash_warnings.of(request, profile)],
    )


def parse(question: Question, table: Mapping[str, Any]) -> ServeCommand:
    """The command of the question. Raises ``SERVE_COMMAND``."""
    try:
        if question.command is not None:
            return serve_command.parse(question.command, table, _read_config_file)
        return serve_command.parse_arguments(question.arguments, table, _read_config_file)
    except serve_command.CommandError as problem:
        raise AotError(ErrorId.SERVE_COMMAND, reason=problem.message, remedy=problem.remedy) from problem


def answer(asked: Answer) -> Fingerprint:
    """Compute it. Raises ``REFUSED_BY_SERVER``, ``NOT_COVERED`` or ``USAGE``, with the warnings among the facts."""
    profile = toolchain.load_profile(asked.toolchain)
    if profile is None:
        raise _unmeasured(asked.toolchain)
    try:
        return compute(asked.request, profile)
    except FingerprintError as problem:
        kinds = {NotCovered: ErrorId.NOT_COVERED, InvalidRequest: ErrorId.USAGE}
        raise AotError(
            kinds.get(type(problem), ErrorId.REFUSED_BY_SERVER),
            reason=problem.message,
            remedy=problem.remedy,
            facts={"warnings": asked.warnings},
        ) from problem


def _hashed(question: Question, command: ServeCommand) -> tuple[str, str]:
    """The model string to hash, and why that one."""
    if question.model_path is not None:
        return question.model_path, "--model-path"
    if question.command is not None:
        return command.model, "as in the command"
    as_given = command.model, "as given; --model-path if the pod has another path"
    if os.path.lexists(command.model):
        return as_given
    from aot.model.model_path import MODELS_ROOT, is_hub_id

    if is_hub_id(command.model):
        return f"{MODELS_ROOT}/{command.model}", "where a pod has this hub id; --model-path for another path"
    return as_given


def _config(source: str, question: Question, command: ServeCommand, progress: Progress) -> dict[str, Any]:
    """config.json, and nothing else of a directory."""
    from aot.model.snapshot import read_config

    directory = Path(source)
    if (directory / "config.json").is_file():
        return read_config(directory / "config.json")
    if source.startswith("/") and not directory.exists():
        raise AotError(
            ErrorId.MODEL_NOT_FOUND,
            reason=f"there is no directory {source} here to read config.json from",
            remedy="give --model-dir DIR, or the hub id it was downloaded from; the hashed path stays as it is",
        )
    from aot.model import fetch

    revision = None if question.model_source else command.engine_args.get("revision")
    return fetch(source, revision, progress=progress).config


def _read_config_file(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as problem:
        raise serve_command.CommandError(
            f"the --config file {name} cannot be read: {problem}", "check the path; it is taken from the directory here"
        ) from problem


def _unmeasured(name: str) -> AotError:
    return AotError(
        ErrorId.NOT_COVERED,
        reason=f"toolchain {name} has no fingerprint profile: its rules were never measured",
        remedy="use another --toolchain, or ask the image itself: aot plan MODEL --exact",
    )
