"""An explanation as text, as Markdown for a pull request, and as plain data for ``--json``."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from aot.explain.inputs import TOOLCHAIN
from aot.fingerprint.explain import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aot.explain.compare import Cause, Explanation, Field
    from aot.explain.resolve import Resolved

_VALUE = 60
_LINES = 6
"""Lines of fields shown for a cause; all of them are in the JSON document."""
_SHORT = 8
"""Causes told in full; after that one line each."""
_WORDS = {"new": "new in the right release", "gone": "gone from it", "changed": "changed"}
NOT_AN_IDENTITY = (
    "Equal fingerprints do not mean that one artifact serves both: target, compiler and its flags, patches and weights "
    "are not in them."
)


def as_data(explanation: Explanation) -> dict[str, Any]:
    """The JSON document's body."""
    return {
        "equal": explanation.equal,
        "fields": explanation.count,
        "left": _side_data(explanation.left),
        "right": _side_data(explanation.right),
        "causes": [asdict(cause) for cause in explanation.causes],
        "unattributed": [asdict(field) for field in explanation.unattributed],
        "without_effect": list(explanation.without_effect),
        "outside_the_fingerprint": [asdict(each) for each in explanation.outside],
    }


def _side_data(resolved: Resolved) -> dict[str, Any]:
    side = resolved.side
    return {
        "label": side.label,
        "kind": side.kind,
        "md5": resolved.md5,
        "toolchain": resolved.toolchain,
        "notes": list(side.notes),
    }


def as_text(explanation: Explanation) -> str:
    """For a terminal: causes first, each with what to change."""
    lines = [*_heads(explanation), "", _verdict(explanation)]
    for number, cause in enumerate(explanation.causes, start=1):
        lines += _cause_text(number, cause, short=number > _SHORT)
    if explanation.unattributed:
        lines += ["", "without a known cause:"]
        lines += [f"   {line}" for line in _limited(_field_lines(explanation.unattributed))]
    lines += [*_remarks(explanation)]
    return _joined_lines(lines)


def _heads(explanation: Explanation) -> Iterator[str]:
    for word, resolved in (("left ", explanation.left), ("right", explanation.right)):
        side = resolved.side
        under = f", {resolved.toolchain}" if resolved.toolchain else ""
        yield f"{word}  {resolved.md5 or 'md5 not known':32}  {side.label} ({side.kind.replace('_', ' ')}{under})"
        for note in side.notes:
            yield f"       note: {note}"


def _verdict(explanation: Explanation) -> str:
    if explanation.equal is None:
        return "No difference in what both sides show; whether the fingerprints are equal is not known."
    if explanation.equal:
        return f"The fingerprints are equal. {NOT_AN_IDENTITY}"
    fields = _counted(explanation.count, "field")
    if not explanation.causes:
        return f"The fingerprints differ in {fields}."
    because = "because of" if not explanation.unattributed else "partly because of"
    return f"The fingerprints differ in {fields}, {because} {_counted(len(explanation.causes), 'input')}:"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _cause_text(number: int, cause: Cause, *, short: bool) -> list[str]:
    head = f"{number}. {_title(cause)}"
    if short:
        return [f"{head}  ({_counted(len(cause.fields), 'field')})"]
    body = [cause.change, *_limited(_field_lines(cause.fields))]
    return ["", head, *(f"   {line}" for line in body)]


def _title(cause: Cause) -> str:
    inferred = " (inferred)" if cause.inferred else ""
    if " with " in cause.name and isinstance(cause.left, dict) and isinstance(cause.right, dict):
        parts = [f"{name}: {shown(cause.left[name])} -> {shown(cause.right[name])}" for name in cause.left]
        return f"together{inferred}  " + "; ".join(parts)
    return f"{cause.name}{inferred}: {shown(cause.left)} -> {shown(cause.right)}"


def _field_lines(fields: Sequence[Field]) -> list[str]:
    """Fields with the same values on one line; under a toolchain new, gone and changed ones apart."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for field in fields:
        rows.setdefault((field.change, shown(field.left), shown(field.right)), []).append(field.path)
    lines = []
    for (change, left, right), paths in rows.items():
        values = f"{left} -> {right}" if change == "changed" else f"{change}, {right if change == 'new' else left}"
        lines.append(f"{_joined(paths)}: {values}")
    return lines


def _joined(paths: list[str]) -> str:
    """``neuron_config.`` once for all paths below it."""
    parts = []
    for parent, group in groupby(sorted(paths), key=lambda path: path.rpartition(".")[0]):
        names = [path.rpartition(".")[2] for path in group]
        parts.append(
            f"{parent}.{{{', '.join(names)}}}" if parent and len(names) > 1 else ", ".join(_full(parent, names))
        )
    return ", ".join(parts)


def _full(parent: str, names: list[str]) -> list[str]:
    return [f"{parent}.{name}" if parent else name for name in names]


def _limited(lines: list[str]) -> list[str]:
    if len(lines) <= _LINES:
        return lines
    return [*lines[: _LINES - 1], f"... {len(lines) - _LINES + 1} more lines, all of them with --json"]


def _remarks(explanation: Explanation) -> Iterator[str]:
    if explanation.without_effect:
        yield ""
        yield f"differ without effect on the fingerprint: {', '.join(explanation.without_effect)}"
    if explanation.outside:
        yield ""
        pairs = [f"{each.name} ({shown(each.left)} -> {shown(each.right)})" for each in explanation.outside]
        yield f"differ outside the fingerprint, and decide whether an artifact fits: {'; '.join(pairs)}"


def shown(value: Any) -> str:
    """A JSON value, cut to a width that fits a line; control characters are escaped."""
    if value == ABSENT:
        return "(not there)"
    if value == "<object>":
        return "{...}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 1]}…"


def _joined_lines(lines: Sequence[str]) -> str:
    """Names of files, keys and variables are anybody's text: nothing in them may steer a terminal or break a line."""
    return "".join(
        "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in line) + "\n" for line in lines
    )


def as_markdown(explanation: Explanation) -> str:
    """For a pull request: a table of causes, the fields folded away."""
    lines = [f"**{_verdict(explanation).rstrip(':')}**" if explanation.equal is False else _verdict(explanation), ""]
    lines += ["| | fingerprint | from |", "|---|---|---|"]
    for word, resolved in (("left", explanation.left), ("right", explanation.right)):
        lines.append(f"| {word} | `{resolved.md5 or '?'}` | {_cell(resolved.side.label)} ({resolved.side.kind}) |")
    if explanation.causes:
        lines += ["", "| cause | left | right | fields | what to do |", "|---|---|---|---|---|"]
        lines += [_cause_row(cause) for cause in explanation.causes]
    fields = [field for cause in explanation.causes for field in cause.fields] + [*explanation.unattributed]
    if fields:
        lines += ["", "<details><summary>Every field</summary>", "", "| field | left | right |", "|---|---|---|"]
        lines += [
            f"| {_code(field.path)} | {_code(shown(field.left))} | {_code(shown(field.right))} |" for field in fields
        ]
        lines += ["", "</details>"]
    lines += [_cell(line) for line in _remarks(explanation)]
    return _joined_lines(lines)


def _cause_row(cause: Cause) -> str:
    name = _code(cause.name) + (" (inferred)" if cause.inferred else "")
    count = f"{len(cause.fields)}{_release_counts(cause)}"
    return f"| {name} | {_code(shown(cause.left))} | {_code(shown(cause.right))} | {count} | {_cell(cause.change)} |"


def _release_counts(cause: Cause) -> str:
    if cause.origin != TOOLCHAIN:
        return ""
    counts = {word: sum(field.change == word for field in cause.fields) for word in _WORDS}
    return " (" + ", ".join(f"{count} {word}" for word, count in counts.items() if count) + ")"


def _code(text: str) -> str:
    """Inline code that survives backticks and table bars."""
    fence = "``" if "`" in text else "`"
    inner = text.replace("|", "\\|")
    return f"{fence} {inner} {fence}" if fence == "``" else f"{fence}{inner}{fence}"


def _cell(text: str) -> str:
    for special in "\\`*_[]<>|":
        text = text.replace(special, "\\" + special)
    return text
