"""Read a compiler log of any size: which modules failed, and with what.

Most of a log is of no interest, so whole pieces are searched for a handful of short literals (``gates``) and only
lines that hold one are looked at. After such a line the next ones are looked at one by one, because messages wrap.
Memory stays constant: lines are cut, failures, tensors and excerpts are bounded.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING

from aot.compile import failure as parts
from aot.compile.block import Block, merged
from aot.compile.gates import Hits, gates_for
from aot.compile.known_errors import GENERIC, KnownError, catalogue, claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from aot.compile.failure import FailedModule

STRUCTURE = (b"Failed compilation", b"Compilation failed for")
RESULT_EVENT = b'"event": "result"'
"""Looked for once an exception was seen: a run that compiled all the same had caught it."""
LINE_LIMIT = 1 << 15
"""Bytes of a line that are looked at together."""
OVERLAP = 256
WATCH = 40
"""Lines looked at after an interesting one."""
BEHIND = 6
"""Lines looked at before one: the tensors are printed ahead of the error that they belong to."""
BLOCKS = 256
"""Failures kept; a log with more is beyond reading anyway."""
PIECE = 1 << 20


class LogReader:
    """Feed it pieces (``feed``) or lines (``line``), then ask ``finish``."""

    def __init__(self, entries: tuple[KnownError, ...] | None = None) -> None:
        self._entries = catalogue() if entries is None else entries
        patterns = [pattern for entry in self._entries for pattern in entry.patterns]
        self._literals = tuple({pattern.literal for pattern in patterns})
        alone = [pattern.literal.encode() for pattern in patterns if not pattern.near]
        self._gates = gates_for([*alone, *STRUCTURE])
        self._carry = b""
        self._number = 0
        self._watch = 0
        self._blocks: list[Block] = []
        self._index: dict[str, Block] = {}
        self._current: Block | None = None
        self._behind: deque[bytes] = deque(maxlen=BEHIND)
        self._exception: tuple[int, str, str] | None = None
        self._compiled = False

    # --- input ---

    def feed(self, piece: bytes) -> None:
        """Any piece of the log, cut anywhere."""
        data = self._carry + piece if self._carry else piece
        cut = data.rfind(b"\n") + 1
        if cut == 0 and len(data) > LINE_LIMIT:
            # A "line" beyond any sense (a binary file): look at what is there, keep enough for a split literal.
            self._look_long(data)
            cut = len(data) - OVERLAP
        elif cut:
            self._scan(data[:cut])
        self._carry = data[cut:]

    def line(self, raw: bytes) -> None:
        """One line, with or without its end."""
        self._number += 1
        if self._watch > 0 or any(gate in raw for gate in self._gates):
            self._look(raw[:LINE_LIMIT])
        else:
            self._behind.append(raw[:LINE_LIMIT])

    def finish(self) -> list[FailedModule]:
        """What failed, in the order of the log."""
        if self._carry:
            self.line(self._carry)
            self._carry = b""
        if self._compiled:
            # It compiled all the same: only what names a module was a failure, of an earlier attempt.
            self._blocks = [block for block in self._blocks if block.key or block.header]
        elif self._exception is not None:
            self._adopt_exception(*self._exception)
        return merged(self._blocks, generic=GENERIC, entries=self._entries)

    def _adopt_exception(self, number: int, kind: str, text: str) -> None:
        """The last Python exception explains a failure that says nothing itself, or is the failure."""
        silent = [block for block in self._blocks if block.header and not block.errors and block.code is None]
        if self._blocks and not silent:
            return
        block = silent[0] if silent else Block(number)
        block.code, block.message = kind, text
        block.add_excerpt(f"{kind}: {text}")
        if not silent:
            self._blocks.append(block)

    # --- scanning ---

    def _scan(self, data: bytes) -> None:
        """Visit the interesting lines of a piece that ends with a line end."""
        position, gates = 0, self._gates
        hits = Hits(data, gates)
        while position < len(data):
            if gates is not self._gates:
                gates = self._gates
                hits = Hits(data, gates)
            start = position
            if self._watch <= 0:
                hit = hits.after(position)
                if hit < 0:
                    self._number += data.count(b"\n", position)
                    self._keep_behind(data, position, len(data))
                    return
                start = data.rfind(b"\n", position, hit) + 1 or position
                self._number += data.count(b"\n", position, start)
                self._keep_behind(data, position, start)
            end = data.find(b"\n", start)
            self._number += 1
            raw = data[start:end]
            if len(raw) > LINE_LIMIT:
                self._look_long(raw)
            else:
                self._look(raw)
            position = end + 1

    def _keep_behind(self, data: bytes, begin: int, end: int) -> None:
        """Remember the last lines between two offsets; they were passed over, but the next line may need them."""
        found: list[bytes] = []
        while end > begin and len(found) < BEHIND:
            start = data.rfind(b"\n", begin, end - 1) + 1 or begin
            found.append(data[start : min(end, start + LINE_LIMIT)])
            end = start
        self._behind.extend(reversed(found))

    def _look_long(self, raw: bytes) -> None:
        """Look at a window around each hit of a line that is too long to be looked at whole."""
        position, hits = 0, Hits(raw, self._gates)
        while (hit := hits.after(position)) >= 0:
            start = max(position, hit - OVERLAP)
            self._look(raw[start : start + LINE_LIMIT])
            position = start + LINE_LIMIT

    def _look(self, raw: bytes) -> None:
        self._watch -= 1
        text = raw[:LINE_LIMIT].decode("utf-8", errors="replace").rstrip("\r\n")
        if "\x1b" in text:
            text = parts.ANSI.sub("", text)
        if text.startswith('{"event"'):
            self._event(text)
        elif self._read(text):
            self._watch = WATCH
        if self._watch <= 0:
            self._current = None
            self._behind.append(raw)

    def _event(self, text: str) -> None:
        """A line of our own runner: its texts quote the compiler, so only its meaning counts."""
        try:
            event = json.loads(text)
        except ValueError:
            return
        if event.get("event") == "result":
            self._compiled = event.get("outcome") == "compiled"
        elif event.get("event") == "graph" and event.get("status") == "failed":
            block = self._block(f"{event.get('graph')}/{event.get('bucket')}/")
            block.header = True
            self._watch = WATCH

    # --- meaning ---

    def _read(self, text: str) -> bool:
        """Take in one line; whether it had anything to say about a failure."""
        if self._current is not None and self._current.continues_header(text):
            self._message(text.rpartition("]:")[2], text)
            return True
        header = next((mark for mark in ("Failed compilation", "Compilation failed for") if mark in text), None)
        if header is not None:
            before, _, command = text.partition(header)
            self._message(before, before)
            self._current = self._block(command)
            self._message(self._current.start_header(command), text)
            return True
        return self._message(text, text)

    def _message(self, text: str, line: str) -> bool:
        code = parts.code_in(text)
        known = any(literal in text for literal in self._literals)
        entry = claims(text, self._entries) if known else None
        tensors = parts.tensors_in(text, on_error_line=code is not None or entry is not None)
        status, name = parts.status_in(text)
        self._note_exception(text)
        if code is not None or entry is not None:
            tensors = self._tensors_behind() + tensors
            self._current = self._block(text, fallback=self._current)
        block = self._current
        if block is None:
            return False
        block.note(text, tensors=tensors, code=code, entry=entry, status=status, name=name)
        if code or entry or tensors or status is not None or name:
            block.add_excerpt(line)
            return True
        return False

    def _tensors_behind(self) -> list[parts.Tensor]:
        """Tensors of the lines just before, if no failure was being read there."""
        lines = [] if self._current is not None else [raw.decode("utf-8", errors="replace") for raw in self._behind]
        self._behind.clear()
        return [tensor for line in lines for tensor in parts.tensors_in(parts.ANSI.sub("", line))]

    def _note_exception(self, text: str) -> None:
        match = parts.EXCEPTION.match(text)
        if match:
            if self._exception is None:
                self._gates = (*self._gates, RESULT_EVENT)
            self._exception = (self._number, match["type"], (match["text"] or "")[:500])

    def _block(self, text: str, fallback: Block | None = None) -> Block:
        """The block that a line belongs to: of the module it names, else ``fallback``, else a new one."""
        fresh = Block(self._number)
        fresh.identify(text)
        if fresh.key is not None:
            same = next((block for key in fresh.keys if (block := self._index.get(key)) and block.agrees(fresh)), None)
            if same is not None:
                same.identify(text)
                self._index.update(dict.fromkeys(same.keys, same))
                return same
        elif fallback is not None:
            return fallback
        if len(self._blocks) < BLOCKS:
            self._blocks.append(fresh)
            self._index.update(dict.fromkeys(fresh.keys, fresh))
        return fresh


def read_failures(lines: Iterable[bytes], entries: tuple[KnownError, ...] | None = None) -> list[FailedModule]:
    """The failures in a stream of lines."""
    reader = LogReader(entries)
    for line in lines:
        reader.line(line)
    return reader.finish()


def read_stream(stream: BinaryIO, entries: tuple[KnownError, ...] | None = None) -> list[FailedModule]:
    """The failures in a binary stream, read in pieces; raises ``OSError`` where reading does."""
    reader = LogReader(entries)
    for piece in _pieces(stream):
        reader.feed(piece)
    return reader.finish()


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece
