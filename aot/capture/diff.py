"""``toolchain diff``: what differs between two releases, in the terms of what it means for a fingerprint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from aot import toolchain
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Kind = Literal["added", "removed", "changed"]

SECTIONS: dict[str, str] = {
    "components": "components",
    "toolchain.behaviour": "how the server finds its artifact",
    "toolchain.default_lnc": "default LNC by target",
    "behaviour": "behaviour",
    "plugin.architectures": "architectures",
    "neuron_config": "NeuronConfig",
    "moe_neuron_config": "MoENeuronConfig",
    "nested": "objects inside NeuronConfig",
    "enums": "enums",
    "computed": "computed defaults",
    "model_classes": "model classes",
    "plugin": "plugin",
    "engine": "vLLM",
    "transformers": "transformers",
    "code": "upstream code that aot's rules mirror",
    "not_captured": "not captured",
}
"""Part of a profile by path, most telling first; the longest one that fits a path is its section."""

UNINTERESTING = ("about", "schema_version", "toolchain", "simulated")


class Change(msgspec.Struct, frozen=True):
    """One difference; ``left`` and ``right`` are absent where ``kind`` says so."""

    section: str
    path: str
    kind: Kind
    left: Any = msgspec.UNSET
    right: Any = msgspec.UNSET


class Side(msgspec.Struct, frozen=True):
    """One of the two: its name as given, and its profile with the facts of toolchain.toml under ``toolchain``."""

    name: str
    tables: dict[str, Any]
    has_profile: bool


def read(name: str) -> Side:
    """A toolchain by name, a directory with a captured ``profile.json``, or such a file.

    Raises ``UNKNOWN_TOOLCHAIN`` or ``TOOLCHAIN_DAMAGED``.
    """
    path = Path(name)
    if name in toolchain.names():
        chain = toolchain.load(name)
        facts = {"behaviour": msgspec.to_builtins(chain.behaviour), "default_lnc": chain.default_lnc}
        tables = dict(toolchain.load_profile(name) or {})
        if code := toolchain.load_code(name):
            tables["code"] = code
        return _side(name, {**tables, "components": {**tables.get("components", {}), **chain.components}}, facts)
    if path.is_dir():
        path = path / "profile.json"
    if not path.is_file():
        raise AotError(
            ErrorId.UNKNOWN_TOOLCHAIN,
            reason=f"{name!r} is neither a toolchain nor a captured profile",
            remedy=f"name one of {', '.join(toolchain.names())}, or what `aot toolchain capture --output` wrote",
        )
    return _side(name, _json(path), _draft(path.with_name("toolchain.toml")))


def _side(name: str, tables: Mapping[str, Any], facts: Mapping[str, Any]) -> Side:
    kept = {key: value for key, value in tables.items() if key not in UNINTERESTING}
    return Side(name, {**kept, "toolchain": dict(facts)}, "neuron_config" in tables)


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as problem:
        raise _damaged(path, str(problem)) from problem
    if not isinstance(document, dict):
        raise _damaged(path, "it holds no JSON object")
    return document


def _draft(path: Path) -> dict[str, Any]:
    """What a draft beside the profile says; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        document = msgspec.toml.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as problem:
        raise _damaged(path, str(problem)) from problem
    return {key: document[key] for key in ("behaviour", "default_lnc") if key in document}


def _damaged(path: Path, why: str) -> AotError:
    return AotError(
        ErrorId.TOOLCHAIN_DAMAGED,
        reason=f"{path} cannot be read as a profile: {why}",
        remedy="capture it again with `aot toolchain capture`",
    )


def changes(left: Side, right: Side) -> list[Change]:
    """All differences by section; what only one side recorded at all is no difference of the releases."""
    skipped = {key for key in ("code", "computed", "not_captured") if key not in left.tables or key not in right.tables}
    one, other = ({k: v for k, v in side.tables.items() if k not in skipped} for side in (left, right))
    found = [_placed(path, kind, a, b) for path, kind, a, b in _walk(one, other, ())]
    order = list(SECTIONS.values())
    return sorted(found, key=lambda change: order.index(change.section))


def _walk(
    one: Mapping[str, Any], other: Mapping[str, Any], prefix: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Kind, Any, Any]]:
    for name in sorted({*one, *other}):
        path = (*prefix, name)
        if name not in one:
            yield path, "added", msgspec.UNSET, other[name]
        elif name not in other:
            yield path, "removed", one[name], msgspec.UNSET
        elif isinstance(one[name], dict) and isinstance(other[name], dict):
            yield from _walk(one[name], other[name], path)
        elif _text(one[name]) != _text(other[name]):
            yield path, "changed", one[name], other[name]


def _text(value: Any) -> str:
    """Values as they are hashed: 1 and 1.0 differ; lists of names in another order do not."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = sorted(value)
    return json.dumps(value, sort_keys=True)


def _placed(path: tuple[str, ...], kind: Kind, left: Any, right: Any) -> Change:
    dotted = ".".join(path)
    fitting = [name for name in SECTIONS if dotted == name or dotted.startswith(f"{name}.")]
    section = max(fitting, key=len) if fitting else None
    return Change(SECTIONS[section] if section else "plugin", dotted, kind, left, right)


def sections(found: Iterable[Change]) -> dict[str, list[Change]]:
    """The same, grouped, in order."""
    grouped: dict[str, list[Change]] = {}
    for change in found:
        grouped.setdefault(change.section, []).append(change)
    return grouped
