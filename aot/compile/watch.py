"""Following a running compile: its events, its log, and what to tell the user meanwhile."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from aot.compile.failure import ANSI
from aot.compile.log import LogReader

if TYPE_CHECKING:
    from aot.compile.failure import FailedModule
    from aot.progress import Progress

TAIL_LINES = 200
TAIL_WIDTH = 500
EVENT_LIMIT = 1 << 16
YEAR = 365 * 86400.0
"""Seconds; no duration that an event states truthfully is as long (NaN and infinity compare as not shorter)."""


def clock(seconds: float) -> str:
    """Elapsed time, m:ss or h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Watcher:
    """The ``LineSink`` of one attempt. Memory is bounded whatever the child prints."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._reader = LogReader()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._running: dict[str, None] = {}
        self._phase = "starting"
        self._by = "the server's own code"
        self.fingerprint: str | None = None

    def stdout(self, line: bytes) -> None:
        """An event of the runner; anything else on that stream is treated as log."""
        event = _event(line)
        if event is None:
            self.stderr(line)
        else:
            self._on_event(event)

    def stderr(self, line: bytes) -> None:
        """A line of the log."""
        self._reader.line(line)
        text = ANSI.sub("", line[:TAIL_WIDTH].decode("utf-8", errors="replace")).rstrip()
        if text:
            self._tail.append(text)
            self._progress.line(text)

    def tick(self, elapsed_seconds: float) -> None:
        """About once per second."""
        self._progress.heartbeat(f"{self.doing}, {clock(elapsed_seconds)}")

    @property
    def doing(self) -> str:
        """What is going on, for the heartbeat."""
        graphs = list(self._running)
        if not graphs:
            return self._phase
        more = f" and {len(graphs) - 1} more" if len(graphs) > 1 else ""
        return f"compiling {graphs[0]}{more}"

    def failures(self) -> list[FailedModule]:
        """What the log says went wrong; call once, at the end."""
        return self._reader.finish()

    def tail(self, lines: int = TAIL_LINES) -> tuple[str, ...]:
        """The last lines of the log."""
        return tuple(self._tail)[-lines:]

    def _on_event(self, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "started" if event.get("simulated"):
                self._by = "the simulator, not by the server's own code"
            case "phase" if event.get("status") == "start":
                self._phase = str(event.get("name"))
            case "graph":
                self._on_graph(event)
            case "fingerprint":
                self.fingerprint = str(event.get("md5"))
                self._progress.info(f"fingerprint found by {self._by}: {self.fingerprint}")
            case "patch" if event.get("applied") is False:
                self._progress.warn(f"patch {event.get('id')} was not applied to {event.get('target')}")
            case "patch_applied_to":
                self._progress.warn(str(event.get("message")))

    def _on_graph(self, event: dict[str, Any]) -> None:
        name = " ".join(str(event[key]) for key in ("graph", "bucket") if event.get(key))
        if event.get("status") == "start":
            self._running[name] = None
            return
        self._running.pop(name, None)
        seconds = event.get("seconds")
        took = f" after {clock(seconds)}" if isinstance(seconds, int | float) and 0 <= seconds < YEAR else ""
        verb = "failed" if event.get("status") == "failed" else "compiled"
        self._progress.info(f"{name} {verb}{took}")
        if event.get("status") == "failed":
            self._reader.line(json.dumps(event).encode())


def _event(line: bytes) -> dict[str, Any] | None:
    """An event's plain values; nothing nested is asked of it, and text must be fit for any output."""
    if not line.startswith(b"{") or len(line) > EVENT_LIMIT:
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    return {_plain(name): _plain(value) for name, value in event.items() if isinstance(value, str | int | float)}


def _plain(value: Any) -> Any:
    """Text without lone surrogates, which JSON can spell and UTF-8 cannot hold."""
    return value.encode("utf-8", errors="replace").decode() if isinstance(value, str) else value
