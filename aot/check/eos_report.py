"""What an EOS check found: plain records that go into JSON, the artifact's record and the terminal."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Severity = Literal["error", "warning", "info"]


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One observation. ``involved`` holds the files, keys and values that it rests on, as ``file: key = value``.

    ``host_dependent``: another host, or another try, may not find it (a template ran into a limit of time or memory).
    """

    id: str
    severity: Severity
    reason: str
    remedy: str
    involved: tuple[str, ...] = ()
    host_dependent: bool = False


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

    @property
    def recorded_findings(self) -> list[dict[str, Any]]:
        """The findings as they go into an artifact's record: only those that the model's files alone decide."""
        lasting = [finding for finding in self.findings if not finding.host_dependent]
        names = [name for name in Finding.__struct_fields__ if name != "host_dependent"]
        return [{name: msgspec.to_builtins(getattr(finding, name)) for name in names} for finding in lasting]

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON-able document, everything that was found on this host included."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return {**document, "turn_end": msgspec.to_builtins(self.turn_end)}
