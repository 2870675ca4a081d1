"""From what the user typed to a ``Side``: files by their content, everything else as an artifact reference."""

from __future__ import annotations

import codecs
import json
import re
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from aot.errors import AotError, ErrorId
from aot.explain import documents, logs
from aot.explain.side import Side

if TYPE_CHECKING:
    from collections.abc import Iterator

WHOLE_LIMIT = 64 << 20
"""Bytes of a file that is read at once; logs are read line by line, whatever their size."""
DEPTH_LIMIT = 64
_SELECTOR = re.compile(r"(?P<file>.+?)(?:#(?P<id>.+)|:(?P<line>[0-9]+))")
_SHOWN = 5
_FORMS = (
    "a request, a file of requests with FILE#ID or FILE:LINE, a plan, the result of a build, a neuron_config.json, a "
    "record.json, a pod's log, a directory that holds one of these, or an artifact (tag, key, digest, oci:STORE:TAG)"
)


def read(text: str, default_store: Path) -> Side:
    """The side that ``text`` names. Raises ``EXPLAIN_INPUT``, or the errors of stores and references."""
    side = _read(text, default_store)
    if _deeper_than(DEPTH_LIMIT, [side.document, side.known.hf_config, side.known.engine_args]):
        raise unreadable(text, f"it is nested deeper than {DEPTH_LIMIT} levels", "give a genuine configuration")
    return side


def _deeper_than(limit: int, value: Any) -> bool:
    """Without recursion, which is what such a document would exhaust."""
    layer = [value]
    for _ in range(limit):
        layer = [
            inner
            for each in layer
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not layer:
            return False
    return True


def _read(text: str, default_store: Path) -> Side:
    if text == "-":
        return _content("standard input", sys.stdin.buffer, None, default_store)
    path, selector = _file(text)
    if path is not None and path.is_dir():
        return _directory(path, text, default_store)
    if path is not None:
        try:
            with path.open("rb") as file:
                return _content(text, file, selector, default_store)
        except OSError as problem:
            raise unreadable(text, f"it cannot be read: {problem.strerror}") from problem
    if "/" in text and not text.startswith("oci:") and "@" not in text:
        raise unreadable(text, "there is no such file", "check the path")
    return documents.artifact(text, default_store)


def _file(text: str) -> tuple[Path | None, str | int | None]:
    """The file of ``text`` and what selects a line of it; a file of that very name comes first."""
    try:
        if Path(text).exists():
            return Path(text), None
        match = _SELECTOR.fullmatch(text)
        if match and not text.startswith("oci:") and Path(match["file"]).is_file():
            return Path(match["file"]), match["id"] if match["id"] is not None else int(match["line"])
    except (OSError, ValueError):  # a name too long for the file system, or with a null byte, is no file
        pass
    return None, None


def _directory(path: Path, text: str, default_store: Path) -> Side:
    if (path / "oci-layout").is_file():
        return documents.artifact(f"oci:{text}", default_store)
    for name in ("record.json", "neuron_config.json", "compiled/neuron_config.json"):
        if (path / name).is_file():
            return read(str(path / name), default_store)
    raise unreadable(text, "the directory holds neither record.json nor neuron_config.json nor an OCI layout")


def _content(label: str, file: IO[bytes], selector: str | int | None, default_store: Path) -> Side:
    """JSON, JSON Lines or a log: a first line that starts with a brace decides for JSON."""
    first = file.readline(WHOLE_LIMIT)
    while first and not first.strip():
        first = file.readline(WHOLE_LIMIT)
    if not first.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{") and selector is None:
        return logs.side(label, _lines(first, file))
    if selector is None:
        rest = file.read(WHOLE_LIMIT)
        if len(rest) == WHOLE_LIMIT:
            raise unreadable(label, f"it is larger than {WHOLE_LIMIT >> 20} MiB", "pick one line with FILE#ID")
        whole = _object(first + rest)
        if whole is not None:
            return _side(label, whole, first + rest, default_store)
        found = logs.find(_lines(first, iter(rest.splitlines(keepends=True))))
        if found is not None:
            return logs.as_side(label, found)
        raise _pick_one(label, (first + rest).splitlines())
    return _selected(label, _lines(first, file), selector, default_store)


def _lines(first: bytes, rest: IO[bytes] | Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _selected(label: str, lines: Iterator[bytes], selector: str | int, default_store: Path) -> Side:
    ids: list[str] = []
    for number, line in enumerate((line for line in lines if line.strip()), start=1):
        if isinstance(selector, int):
            row = _object(line) if number == selector else None
        else:
            row = _object(line)
            ids += [str(row.get("id"))] if row and len(ids) < _SHOWN else []
            row = row if row and _has_id(row, selector) else None
        if row is not None:
            return _side(label, row, line, default_store)
    near = f"; ids: {', '.join(ids)}, ..." if ids else ""
    raise unreadable(label, f"no line of the file is {selector!r}{near}", "name a line's id with FILE#ID, or FILE:LINE")


def _has_id(row: dict[str, Any], wanted: str) -> bool:
    """Ids of vectors begin with the toolchain (``sdk2.28.0/len-4096``); the rest alone will do."""
    own = str(row.get("id"))
    return own == wanted or own.partition("/")[2] == wanted


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _side(label: str, document: dict[str, Any], content: bytes, default_store: Path) -> Side:
    side = documents.side(label, document, content, default_store)
    if side is None:
        keys = ", ".join(sorted(document)[:_SHOWN]) or "nothing"
        raise unreadable(label, f"it is a JSON object (with {keys}), but none that aot knows")
    return side


def _pick_one(label: str, lines: list[bytes]) -> AotError:
    rows = [row for line in lines[:1000] if (row := _object(line)) is not None and {"id", "model_dir"} & row.keys()]
    if not rows:
        return unreadable(label, "it is neither valid JSON nor a log that prints a configuration")
    ids = ", ".join(str(row["id"]) for row in rows[:_SHOWN] if "id" in row)
    return unreadable(label, f"it holds more than one line ({ids}, ...)", f"pick one: {label}#ID or {label}:LINE")


def unreadable(label: str, why: str, remedy: str = f"give {_FORMS}") -> AotError:
    """``EXPLAIN_INPUT`` naming the side."""
    return AotError(ErrorId.EXPLAIN_INPUT, reason=f"{label} cannot be explained: {why}", remedy=remedy)
