"""Which words start a vLLM server: variables before it, the program, and the arguments it is given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from aot.serve_command.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_PYTHON = re.compile(r"python[0-9.]*")
_TRANSPARENT = ("exec", "nohup", "command")
"""Programs and shell words that start another one and change nothing that counts here."""
_SERVER_MODULE, _CLI_MODULE = "vllm.entrypoints.openai.api_server", "vllm.entrypoints.cli.main"
_EXPECTED = f"give `vllm serve MODEL ...` or `python -m {_SERVER_MODULE} --model MODEL ...`, without what wraps it"


@dataclass(frozen=True)
class Started:
    """``arguments`` follow ``vllm serve``, or the module's name where ``module`` is set."""

    arguments: list[str]
    env: dict[str, str]
    module: bool


def find(commands: Sequence[Sequence[str]]) -> Started:
    """The server among commands in sequence: before it only variables may be set. Raises CommandError."""
    if not commands:
        raise CommandError("the command is empty", _EXPECTED)
    env: dict[str, str] = {}
    for command in commands[:-1]:
        _only_assignments(command, env)
    words = _without_wrappers(list(commands[-1]), env)
    arguments, module = _arguments(words)
    return Started(arguments, env, module)


def _only_assignments(command: Sequence[str], env: dict[str, str]) -> None:
    words = command[1:] if command[0] == "export" else command
    for word in words:
        match = _ASSIGNMENT.fullmatch(word)
        if match is None:
            raise CommandError(f"the command holds more than one program ({' '.join(command)[:60]!r} first)", _EXPECTED)
        env[match[1]] = match[2]


def _without_wrappers(words: list[str], env: dict[str, str]) -> list[str]:
    """Take ``NAME=VALUE``, ``exec``, ``nohup`` and ``env NAME=VALUE`` off the front."""
    while words:
        match = _ASSIGNMENT.fullmatch(words[0])
        if match:
            env[match[1]] = match[2]
        elif PurePosixPath(words[0]).name not in (*_TRANSPARENT, "env"):
            break
        words = words[1:]
    return words


def _arguments(words: list[str]) -> tuple[list[str], bool]:
    program = PurePosixPath(words[0]).name if words else ""
    if program == "vllm":
        return _after_serve(words[1:]), False
    if _PYTHON.fullmatch(program) and "-m" in words[1:-1]:
        index = words.index("-m")
        if words[index + 1] == _SERVER_MODULE:
            return words[index + 2 :], True
        if words[index + 1] == _CLI_MODULE:
            return _after_serve(words[index + 2 :]), False
    raise CommandError(f"{' '.join(words)[:60]!r} does not start a vLLM server", _EXPECTED)


def _after_serve(words: list[str]) -> list[str]:
    if not words or words[0] != "serve":
        raise CommandError(f"vllm {' '.join(words[:1])} is not `vllm serve`".replace("  ", " "), _EXPECTED)
    return words[1:]
