"""Cutting two interleaved byte streams into lines without ever holding much of either."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINE = 1 << 20
"""Bytes. A longer line is delivered in pieces of this size: a compiler that dumps a tensor must not fill our memory."""


class LineSplitter:
    """Calls ``emit`` with every line fed to it, without its newline; ``close`` delivers an unfinished last line."""

    def __init__(self, emit: Callable[[bytes], None], *, limit: int = MAX_LINE) -> None:
        self._emit = emit
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Take the next chunk, of any size."""
        *complete, rest = data.split(b"\n")
        for line in complete:
            self._add(line)
            self._flush()
        self._add(rest)

    def close(self) -> None:
        """The stream has ended: deliver what came after the last newline, if anything."""
        if self._size:
            self._flush()

    def _add(self, data: bytes) -> None:
        while self._size + len(data) > self._limit:
            room = self._limit - self._size
            self._parts.append(data[:room])
            self._flush()
            data = data[room:]
        if data:
            self._parts.append(data)
            self._size += len(data)

    def _flush(self) -> None:
        line = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        self._emit(line.removesuffix(b"\r"))
