"""vLLM's flags for argparse, from a table captured per release, so that abbreviations and types are argparse's own.

The table ``manifests/vllm/<release>.json`` is what ``make_arg_parser`` (entrypoints/openai/cli_args.py) registers on
Neuron: the kinds of ``_compute_kwargs`` (engine/arg_utils.py), names, choices, and which flags only concern the server.
"""

from __future__ import annotations

import argparse
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from aot.serve_command.command import ServeCommand
from aot.serve_command.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DECIMAL = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_HELP = "help"
_SECRETS = ("hf_token",)  # never in the hash, and never worth a place in a document


def read(words: list[str], table: Mapping[str, Any], notes: list[str], *, module: bool) -> ServeCommand:
    """Arguments that ``rewriting`` made plain -> the command. Raises CommandError where argparse exits."""
    given = vars(_parser(table).parse_args(words))
    if _HELP in given:
        raise CommandError("the command asks vLLM for its help and starts no server", "leave --help out")
    _check_together(given)
    named = given.pop("model", None)
    tag = given.pop("model_tag", None)
    if module and tag is not None:
        notes.append(f"vLLM's server module ignores {tag!r}, which follows no flag: name the model with --model")
    model = named if module or tag is None else tag
    if model is None:
        model = table["default_model"]
        notes.append(f"the command names no model: vLLM serves {model}")
    server = {name for name in given if table["flags"][name].get("server")} | (given.keys() & _SECRETS)
    engine_args = {name: value for name, value in given.items() if name not in server}
    return ServeCommand(str(model), engine_args, sorted(server), notes=notes)


def _check_together(given: Mapping[str, Any]) -> None:
    """``validate_parsed_serve_args``."""
    for flag, needed in (
        ("enable_auto_tool_choice", "tool_call_parser"),
        ("enable_log_outputs", "enable_log_requests"),
    ):
        if given.get(flag) and not given.get(needed):
            one, other = (f"--{name.replace('_', '-')}" for name in (flag, needed))
            raise CommandError(f"vLLM refuses {one} without {other}", f"add {other}, or leave {one} out")


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"vLLM would refuse the command: {message}", "correct it; `vllm serve --help=all` lists all")


def _parser(table: Mapping[str, Any]) -> _Parser:
    parser = _Parser(prog="vllm serve", add_help=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("-h", "--help", dest=_HELP, action="store_true")
    parser.add_argument("model_tag", nargs="?")
    for name, flag in table["flags"].items():
        kind = flag["kind"]
        if kind == "switch":
            parser.add_argument(*flag["names"], dest=name, action=argparse.BooleanOptionalAction)
        elif kind == "true":
            parser.add_argument(*flag["names"], dest=name, action="store_true")
        elif kind == "append":
            parser.add_argument(*flag["names"], dest=name, action="append")
        else:
            kept = {key: flag[key] for key in ("nargs", "const", "choices") if key in flag}
            reader = _reader(kind, optional=flag.get("optional", False))
            parser.add_argument(*flag["names"], dest=name, type=reader, **kept)
    return parser


def _reader(kind: str, *, optional: bool) -> Callable[[str], Any]:
    """The kind's reader; with ``optional_type`` the empty string and ``None`` mean null."""
    read_value = _READERS[kind]

    def reader(text: str) -> Any:
        return None if optional and text in ("", "None") else read_value(text)

    reader.__name__ = kind.replace("_", " ")  # argparse says "invalid ... value"
    return reader


def _human_integer(text: str) -> int:
    """``human_readable_int``: 8k is 8000, 8K is 8192; fractions only before a decimal suffix."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmMgGtT])", text.strip())
    if match is None:
        return int(text)
    number, suffix = match.groups()
    return int(float(number) * _DECIMAL[suffix]) if suffix in _DECIMAL else int(number) * _BINARY[suffix]


def _human_integer_or_auto(text: str) -> int:
    """``human_readable_int_or_auto`` of 0.16: ``auto`` is -1."""
    return -1 if text.strip().lower() in ("-1", "auto") else _human_integer(text)


def _string_or_json(text: str) -> Any:
    """``union_dict_and_str``: what stands in braces is JSON."""
    return json.loads(text) if re.fullmatch(r"(?s)\s*\{.*\}\s*", text) else text


def _object(text: str) -> Any:
    """A configuration dataclass as JSON; which keys it may hold is not checked here."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON object")
    return value


_READERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "json": json.loads,
    "object": _object,
    "str_or_json": _string_or_json,
    "human_int": _human_integer,
    "human_int_or_auto": _human_integer_or_auto,
}
