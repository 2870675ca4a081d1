"""What an EOS check found: plain records that go into JSON, the artifact's record and the terminal."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Severity = Literal["error", "warning", "info"]


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One observation. ``involved`` holds the files, keys and values that it rests on, as ``file: key = value``."""

    id: str
    severity: Severity
    reason: str
    remedy: str
    involved: tuple[str, ...] = ()


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place that names ids on which generation could stop.

    ``used`` says whether vLLM reads it for this model; ``text`` is the token as written, where it is a string.
    """

    file: str
    key: str
    ids: tuple[int, ...]
    used: bool
    text: str | None = None


class TurnEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The token with which a chat template closes an assistant's turn; ``id`` is None when no vocabulary has it."""

    template: str
    token: str
    id: int | None
    stops: bool


class EosReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``ok`` is the absence of errors. ``stop_ids`` is what vLLM stops on, the tokenizer's own id first."""

    ok: bool
    stop_ids: tuple[int, ...]
    sources: tuple[Source, ...]
    turn_ends: tuple[TurnEnd, ...]
    findings: tuple[Finding, ...]

    @property
    def turn_end(self) -> TurnEnd | None:
        """The end of a turn in the template that vLLM takes when no tools are given."""
        return self.turn_ends[0] if self.turn_ends else None

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON-able document; deterministic for given files."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return {**document, "turn_end": msgspec.to_builtins(self.turn_end)}
