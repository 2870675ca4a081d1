"""A vLLM server's command line -> the model, ``EngineArgs`` keywords and variables it stands for. Pure.

The walk: ``shell`` (text to words), ``program`` (which words start vLLM), ``rewriting`` with ``config_file`` (what
vLLM's ``FlexibleArgumentParser`` does before argparse), ``flags`` (argparse, from a table captured per vLLM release in
``manifests/vllm``), ``request`` (together with config.json, a ``FingerprintRequest``). Nothing here opens a file: the
table and the reader of ``--config`` files are handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aot.serve_command import flags, program, rewriting, shell
from aot.serve_command.command import ServeCommand
from aot.serve_command.env_file import parse_env_file
from aot.serve_command.errors import CommandError
from aot.serve_command.request import outside_the_hash, to_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

__all__ = [
    "CommandError",
    "ServeCommand",
    "outside_the_hash",
    "parse",
    "parse_arguments",
    "parse_env_file",
    "to_request",
]


def parse(text: str, table: Mapping[str, Any], read_config: Callable[[str], bytes]) -> ServeCommand:
    """A whole command line as typed into a shell, or a JSON list of words as in a pod's ``command``.

    ``table`` is ``manifests/vllm/<release>.json``; ``read_config`` returns the content of a ``--config`` file. Raises
    CommandError where the shell, vLLM's parser or aot would not take it.
    """
    started = program.find(shell.commands(text))
    command = parse_arguments(started.arguments, table, read_config, module=started.module)
    command.env.update(started.env)
    return command


def parse_arguments(
    arguments: Sequence[str], table: Mapping[str, Any], read_config: Callable[[str], bytes], *, module: bool = False
) -> ServeCommand:
    """The words after ``vllm serve``, or after ``python -m vllm.entrypoints.openai.api_server`` (``module``)."""
    try:
        words, notes = rewriting.rewrite(list(arguments), table, read_config, module=module)
        return flags.read(words, table, notes, module=module)
    except (RecursionError, OverflowError) as problem:
        raise CommandError("a value is nested too deeply or too large for vLLM to read", "correct it") from problem
