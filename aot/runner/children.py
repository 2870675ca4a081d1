"""End the compilers that a failed or stopped run leaves behind."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Process ids below ``pid``, parents first; empty where ``/proc`` does not say (not Linux)."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread or the process has just ended
            for child in map(int, listing.read_text().split()):
                found += [child, *descendants(child)]
    return found


def kill_all() -> None:
    """Kill every descendant of this process; parents first, so that none starts another."""
    for child in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
