"""What a pod's log says about the configuration it serves with.

Genuine forms, most telling first:

1. ``Saving config: {json}``: NxDI, models/config.py ``to_json_file`` (root logger, DEBUG). The very text that is
   hashed, printed by a server that compiles for itself.
2. ``non-default args: {dict}``: vLLM 0.13 / 0.16, entrypoints/utils.py ``log_non_default_args`` (INFO, always printed).
   The flags; not the model's config.json, and no variables.
3. ``Neuron Config: {dict}``: vllm-neuron, worker/neuronx_distributed_model_loader.py ``_validate_neuron_config``
   (DEBUG). Arguments of NxDI's NeuronConfig. The module fixes its level to INFO, so a stock release does not print it.
4. ``Loaded Neuron config: {json}``: NxDI, ``from_json_file`` (root logger, INFO). The artifact's configuration, written
   anew after loading: what the pod was given, not what its own flags ask for.

Python's root logger starts at WARNING: forms 1 and 4 show only where the image or the user lowers it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from aot.explain.python_repr import is_plain, parse_dict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Form = Literal["saved config", "arguments", "neuron config", "loaded config"]

_MARKS: tuple[tuple[str, Form], ...] = (
    ("Saving config: {", "saved config"),
    ("non-default args: {", "arguments"),
    ("Loaded Neuron config: {", "loaded config"),
    ("Neuron Config: {", "neuron config"),
)
_BEST_FIRST: tuple[Form, ...] = ("saved config", "arguments", "neuron config", "loaded config")
_BLOCK_LINES = 20_000
_LINE_LIMIT = 1 << 20
# kubectl's --timestamps, vLLM's process prefix (utils/system_utils.py _add_prefix), its line prefix (logger.py _FORMAT)
_PREFIX = re.compile(
    r"(?:\d{4}-\d\d-\d\d[T ][\d:.,]+Z? )?(?:\([\w:.-]+ pid=\d+\) ?)?"
    r"(?:(?:DEBUG|INFO|WARNING|ERROR) \d\d-\d\d \d\d:\d\d:\d\d \[[^\]]*\] ?)?"
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Printed:
    """One printed configuration; ``line`` counts from 1. ``value`` may hold opaque objects in the dict forms."""

    form: Form
    line: int
    value: dict[str, Any]


def read(lines: Iterable[bytes]) -> Printed | None:
    """The most telling configuration in a log, None where there is none; the last of its form: a pod may restart."""
    found: dict[Form, Printed] = {}
    for printed in _printed(iter(lines)):
        found[printed.form] = printed
    return next((found[form] for form in _BEST_FIRST if form in found), None)


def _printed(lines: Iterator[bytes]) -> Iterator[Printed]:
    number = 0
    for raw in lines:
        number += 1
        mark = next(((text, form) for text, form in _MARKS if text.encode() in raw), None)
        if mark is None or len(raw) > _LINE_LIMIT:
            continue
        text, form = mark
        start = _clean(raw).partition(text)[2]
        if form in ("saved config", "loaded config"):
            block = _Block("{" + start)
            value = block.whole()
            at = number
            if value is None:
                for follow in islice(lines, _BLOCK_LINES):
                    number += 1
                    if block.add(_PREFIX.sub("", _clean(follow), count=1)):
                        break
                value = block.whole()
        else:
            at, value = number, parse_dict("{" + start.rstrip())
        if value is not None:
            yield Printed(form, at, value)


class _Block:
    """A JSON object over several lines, as ``json.dumps(indent=2)`` breaks them: it ends with a brace in column one."""

    def __init__(self, first: str) -> None:
        self._lines = [first]

    def add(self, line: str) -> bool:
        self._lines.append(line)
        return line.startswith("}")

    def whole(self) -> dict[str, Any] | None:
        try:
            value, _ = json.JSONDecoder().raw_decode("\n".join(self._lines))
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


def _clean(raw: bytes) -> str:
    return _COLOUR.sub("", raw.decode("utf-8", "replace")).rstrip("\r\n")


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Without what the text does not show."""
    return {name: value for name, value in values.items() if is_plain(value)}
