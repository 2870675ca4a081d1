"""What vLLM does to the arguments before argparse sees them.

Mirrors vLLM 0.13.0 / 0.16.0 ``FlexibleArgumentParser.parse_args`` (utils/argparse_utils.py), its surprises included: a
server that was started with them runs with what they mean.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from aot.serve_command import config_file
from aot.serve_command.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAME = re.compile(r"(?<=--)[^.]*")  # between the dashes and the first dot
_LEVELS = {"0", "1", "2", "3"}


def rewrite(
    words: list[str], table: Mapping[str, Any], read_config: Callable[[str], bytes], *, module: bool
) -> tuple[list[str], list[str]]:
    """Plain arguments for argparse, and notes on traps. ``module`` as in ``parse_arguments``. Raises CommandError."""
    notes: list[str] = []
    words = words if module else _model_first(words)
    if "--config" in words:
        words = _with_config(words, table, read_config, notes, module=module)
    elif any(word.startswith("--config=") for word in words):
        notes.append("vLLM ignores --config=FILE (with =) without a word: write --config FILE")
    return _merge_dotted([plain for index, word in enumerate(words) for plain in _respelled(index, word, words)]), notes


def _model_first(words: list[str]) -> list[str]:
    """``vllm serve -tp 2 --model M`` means ``vllm serve M -tp 2``."""
    for index, word in enumerate(words):
        if word.startswith("--model="):
            return [word.removeprefix("--model="), *words[:index], *words[index + 1 :]]
        if word == "--model":
            if index + 1 == len(words):
                raise CommandError("--model is the last word of the command", "give the model after it")
            return [words[index + 1], *words[:index], *words[index + 2 :]]
    return words


def _with_config(
    words: list[str],
    table: Mapping[str, Any],
    read_config: Callable[[str], bytes],
    notes: list[str],
    *,
    module: bool,
) -> list[str]:
    """``_pull_args_from_config``: the file's arguments stand before those of the command line, which win."""
    index = words.index("--config")
    if words.count("--config") > 1 or index + 1 == len(words):
        raise CommandError("--config is given twice or without a file", "give --config FILE once")
    name = words[index + 1]
    found = config_file.arguments(name, read_config(name), nested=table["nested_config_file"], notes=notes)
    before, after = words[:index], words[index + 2 :]
    model_first = bool(words) and not words[0].startswith("-")
    if not module and not model_first and "--model" not in found:
        raise CommandError("no model is named before --config nor in the file", "name the model as the first argument")
    # A module started with a positional argument first takes it for a subcommand: the order is the same.
    return [*before[:1], *found, *before[1:], *after] if model_first else [*found, *before, *after]


def _respelled(index: int, word: str, words: list[str]) -> list[str]:
    """Underscores in names become dashes, and ``-O3``, ``-O=3``, ``-O 3`` become ``--optimization-level 3``."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return [_NAME.sub(lambda match: match[0].replace("_", "-"), name, count=1) + equals + value]
    if word.startswith("-O") and word != "-O":
        return ["--optimization-level", word[3:] if word[2] == "=" else word[2:]]
    if word == "-O" and words[index + 1 : index + 2] and words[index + 1] in _LEVELS:
        return ["--optimization-level"]
    return [word]


def _merge_dotted(words: list[str]) -> list[str]:
    """``--flag.a.b 1 --flag.c+ x,y`` becomes ``--flag '{"a": {"b": 1}, "c": ["x", "y"]}'``, after everything else."""
    plain: list[str] = []
    objects: dict[str, dict[str, Any]] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("-") or "." not in name:
            plain.append(word)
            continue
        if not equals:
            found = next(rest, None)
            if found is None:
                raise CommandError(f"{word} is the last word of the command", "give its value after it")
            value = found
        if name.endswith("+"):
            name, value = name[:-1], json.dumps(value.split(","))
        flag, *keys = name.split(".")
        _update(objects.setdefault(flag, {}), _nested(keys, _parsed(value)))
    for flag, merged in objects.items():
        plain += [flag, json.dumps(merged)]
    return plain


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    nested: dict[str, Any] = value
    return nested


def _update(original: dict[str, Any], update: Mapping[str, Any]) -> None:
    """Objects are merged, lists joined, everything else replaced."""
    for key, value in update.items():
        held = original.get(key)
        if isinstance(value, dict) and isinstance(held, dict):
            _update(held, value)
        elif isinstance(value, list) and isinstance(held, list):
            held += value
        else:
            original[key] = value
