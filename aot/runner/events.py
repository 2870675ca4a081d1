"""JSON Lines events on the stdout that the process was started with."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Events:
    """Writes one JSON object per line to a file descriptor, whole lines at a time, from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._gone = False

    def emit(self, event: str, **fields: Any) -> None:
        """Write one event; a reader that went away stops the events, never the compile."""
        line = json.dumps({"event": event, "time": time.time(), **fields}, default=str) + "\n"
        with self._lock:
            if self._gone:
                return
            try:
                _write_all(self._descriptor, line.encode("utf-8"))
            except OSError:
                self._gone = True

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Report start and end of one phase; the end is reported on failure too, with its seconds."""
        started = time.monotonic()
        self.emit("phase", name=name, status="start")
        try:
            yield
        finally:
            self.emit("phase", name=name, status="end", seconds=round(time.monotonic() - started, 3))


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
