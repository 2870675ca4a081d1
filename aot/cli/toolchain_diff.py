"""``aot toolchain diff``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import msgspec

from aot.cli import display
from aot.cli.common import json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aot.capture.diff import Change, Side

WIDE = 100


@click.command("diff")
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@json_option
def diff(*, left: str, right: str, as_json: bool) -> None:
    """What differs between two releases: keys, defaults, architectures, behaviour, components.

    A and B are names of toolchains, or directories or profile.json files that `aot toolchain capture` wrote. For what
    an upgrade does to one request, see `aot explain`.

    \b
    Examples:
      aot toolchain diff sdk2.28.0 sdk2.29.0
      aot toolchain diff sdk2.29.0 ./captured --json
    """
    from aot.capture import diff as diffs

    sides = (diffs.read(left), diffs.read(right))
    found = diffs.changes(*sides)
    if as_json:
        display.document({"left": left, "right": right, "differences": [msgspec.to_builtins(one) for one in found]})
        return
    _show(found, sides)


def _show(found: Sequence[Change], sides: tuple[Side, Side]) -> None:
    from aot.capture import diff as diffs

    if not found:
        display.say("no difference")
    for section, entries in diffs.sections(found).items():
        display.say(f"{section} ({len(entries)})")
        for change in entries:
            display.say(f"  {_line(change)}")
    for side in sides:
        if not side.has_profile:
            display.say(f"note: {side.name} has no profile, only its components and behaviour were compared")


def _line(change: Change) -> str:
    if change.kind == "added":
        return f"+ {change.path} = {_value(change.right)}"
    if change.kind == "removed":
        return f"- {change.path} = {_value(change.left)}"
    if isinstance(change.left, list) and isinstance(change.right, list):
        gone = [item for item in change.left if item not in change.right]
        new = [item for item in change.right if item not in change.left]
        return f"~ {change.path}: {_items('-', gone)} {_items('+', new)}".rstrip()
    return f"~ {change.path}: {_value(change.left)} -> {_value(change.right)}"


def _items(sign: str, items: Sequence[Any]) -> str:
    return " ".join(f"{sign}{_value(item)}" for item in items)


def _value(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= WIDE else f"{text[: WIDE - 3]}..."
