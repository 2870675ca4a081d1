"""A ``--config`` file as arguments.

Mirrors vLLM 0.13.0 / 0.16.0 ``FlexibleArgumentParser.load_config_file`` (utils/argparse_utils.py).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aot.serve_command.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping


def arguments(name: str, content: bytes, *, nested: bool, notes: list[str]) -> list[str]:
    """The file's keys as ``--key value``. ``nested``: this release takes objects (0.16), else they become Python text.

    Appends to ``notes`` what the file says in vain. Raises CommandError.
    """
    if name.rpartition(".")[2] not in ("yaml", "yml"):
        raise CommandError(f"vLLM takes a --config file only as .yaml or .yml, not {name}", "rename the file")
    words: list[str] = []
    for key, value in _load(name, content).items():
        if not isinstance(key, str):
            raise CommandError(f"{name} has the key {key!r}, which is no name of a flag", "quote or remove it")
        words += _words(key, value, nested=nested)
        if value is False or value == []:
            notes.append(f"vLLM ignores `{key}: {json.dumps(value)}` in {name}: the flag is left at its default")
    return words


def _words(key: str, value: Any, *, nested: bool) -> list[str]:
    flag = f"--{key}"
    if isinstance(value, bool):
        return [flag] if value else []
    if isinstance(value, list):
        return [flag, *map(str, value)] if value else []
    return [flag, json.dumps(value) if nested and isinstance(value, dict) else str(value)]


def _load(name: str, content: bytes) -> Mapping[Any, Any]:
    import yaml

    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as problem:
        raise CommandError(f"{name} is not valid YAML: {problem}", "correct the file") from problem
    if not isinstance(document, dict):
        raise CommandError(f"{name} holds no `flag: value` lines", "write one `flag: value` a line")
    return document
