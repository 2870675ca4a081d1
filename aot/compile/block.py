"""The lines of a log that belong to one failed module, while they are being collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aot.compile import failure as parts
from aot.compile.failure import FailedModule, Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aot.compile.known_errors import KnownError

EXCERPT_LINES = 16
EXCERPT_WIDTH = 400
MESSAGE_WIDTH = 500
HEADER_LIMIT = 16384
TENSORS = 16
NEIGHBOURHOOD = 80
"""Lines within which a message without a module is taken to belong to the module that failed next to it."""


class Block:
    """Mutable collection of what the log says about one failure; ``freeze`` makes the record."""

    def __init__(self, number: int) -> None:
        self.line = number
        self.header = False
        self.graph: str | None = None
        self.bucket: str | None = None
        self.module: str | None = None
        self.hlo_path: str | None = None
        self.code: str | None = None
        self.message = ""
        self.errors: dict[str, int] = {}
        self.tensors: list[Tensor] = []
        self.exit_status: int | None = None
        self.signal: str | None = None
        self.version: str | None = None
        self._command = ""
        self._open = False
        self._excerpt: list[str] = []

    @property
    def key(self) -> str | None:
        """What tells one module from another: the module's hash, else graph and bucket."""
        return self.module or (f"{self.graph}/{self.bucket}" if self.graph and self.bucket else None)

    @property
    def keys(self) -> list[str]:
        """All that tells this module from another."""
        place = f"{self.graph}/{self.bucket}" if self.graph and self.bucket else None
        return [key for key in (self.module, place) if key]

    def agrees(self, other: Block) -> bool:
        """Whether nothing says that two blocks with a common key are of two modules."""
        return not (self.module and other.module) or self.module == other.module

    def identify(self, text: str) -> None:
        """Take module, graph, bucket and HLO path out of a line, without overwriting what is known."""
        if path := parts.HLO_PATH.search(text):
            self.hlo_path = self.hlo_path or path["path"]
        if module := parts.MODULE.search(text):
            self.module = self.module or module["module"]
        if where := parts.GRAPH_AND_BUCKET.search(text):
            self.graph = self.graph or where["graph"]
            self.bucket = self.bucket or where["bucket"]
        elif name := parts.GRAPH_NAME.search(text):
            self.graph = self.graph or name["graph"]
        if version := parts.VERSION.search(text):
            self.version = self.version or version["cache"] or version["cc"]
        elif xla := parts.XLA_VERSION.search(text):
            self.version = self.version or f"libneuronxla {xla['xla']}"

    # --- header: the command that failed ---

    def start_header(self, text: str) -> str:
        """Begin with what follows "Failed compilation"; returns the message after the command, if it ended."""
        self.header = True
        if self._command and not self._open:
            return text.rpartition("]:")[2]  # repeated, in a traceback
        self._command, self._open = "", True
        return self._extend_header(text)

    def continues_header(self, text: str) -> bool:
        """Whether the command is still going on, wrapped; takes the line in if so."""
        if not self._open:
            return False
        self._extend_header("\n" + text)
        self.identify(text)
        return True

    def _extend_header(self, text: str) -> str:
        self._command += text
        if "[" not in self._command or "]" in self._command or len(self._command) > HEADER_LIMIT:
            self._open = False
            command, _, message = self._command.partition("]")
            self._command = command[:HEADER_LIMIT]
            return message.lstrip(": ")
        return ""

    # --- body ---

    def note(
        self,
        text: str,
        *,
        tensors: Sequence[Tensor],
        code: str | None,
        entry: KnownError | None,
        status: int | None,
        name: str | None,
    ) -> None:
        """Add what one line says."""
        self.identify(text)
        new = [tensor for tensor in tensors if tensor not in self.tensors]
        self.tensors = (self.tensors + new)[:TENSORS]
        if entry is not None:
            self.errors.setdefault(entry.id, entry.order)
        if code is not None and self.code is None:
            self.code = code
            self.message = text[text.find(code) + len(code) :].lstrip("] :")[:MESSAGE_WIDTH]
        elif (entry is not None or self.code) and not self.message:
            self.message = text.strip()[:MESSAGE_WIDTH]
        if self.exit_status is None:
            self.exit_status = status
        self.signal = self.signal or name

    def add_excerpt(self, line: str) -> None:
        """Keep a line for the report, cut, within the bound."""
        short = line.strip()[:EXCERPT_WIDTH]
        if short and short not in self._excerpt and len(self._excerpt) < EXCERPT_LINES:
            self._excerpt.append(short)

    def absorb(self, other: Block) -> None:
        """Take over a block that turned out to speak of the same failure."""
        self.line = min(self.line, other.line)
        self.errors = {**other.errors, **self.errors}
        self.tensors = (self.tensors + [tensor for tensor in other.tensors if tensor not in self.tensors])[:TENSORS]
        for name in ("graph", "bucket", "module", "hlo_path", "code", "message", "exit_status", "signal", "version"):
            if getattr(self, name) in (None, ""):
                setattr(self, name, getattr(other, name))
        for line in other._excerpt:
            self.add_excerpt(line)

    def ranked(self) -> list[str]:
        """Ids of the entries that claim lines of this block, most specific first."""
        return sorted(self.errors, key=lambda error: (self.errors[error], error))

    def freeze(self, entries: Sequence[KnownError]) -> FailedModule:
        """The finished record."""
        ranked = self.ranked()
        entry = next((entry for entry in entries if ranked and entry.id == ranked[0]), None)
        flags = parts.flags_in(self._command)
        return FailedModule(
            graph=self.graph,
            bucket=self.bucket,
            module=self.module,
            target=parts.target_in(flags, self._command),
            flags=flags,
            exit_status=self.exit_status,
            signal=self.signal,
            hlo_path=self.hlo_path,
            compiler_version=self.version,
            code=self.code or (entry.code if entry else None),
            error=ranked[0] if ranked else None,
            also=tuple(ranked[1:]),
            message=self.message,
            tensors=tuple(self.tensors),
            line=self.line,
            excerpt=tuple(self._excerpt),
        )


def merged(blocks: Sequence[Block], *, generic: int, entries: Sequence[KnownError]) -> list[FailedModule]:
    """One record per failure: messages without a module join the module they speak of, echoes disappear."""
    modules = [block for block in blocks if block.key is not None or block.header]
    rest = [block for block in blocks if block not in modules]
    kept: list[Block] = []
    for block in rest:
        home = _home(block, modules, generic) or _home(block, kept, generic)
        if home is not None:
            home.absorb(block)
        else:
            kept.append(block)
    found = sorted(modules + kept, key=lambda block: block.line)
    if any(_rank(block) < generic for block in found):
        found = [block for block in found if block.key or block.header or _rank(block) < generic or not block.errors]
    return [block.freeze(entries) for block in found]


def _rank(block: Block) -> int:
    return min(block.errors.values(), default=100)


def _home(block: Block, candidates: Sequence[Block], generic: int) -> Block | None:
    """The block with the same failure, else a neighbour that says nothing, or nothing specific, of its own."""
    same = [other for other in candidates if set(block.errors) & set(other.errors)]
    if not block.errors:
        same = [other for other in candidates if block.code and block.code == other.code]
    near = [other for other in candidates if abs(other.line - block.line) <= NEIGHBOURHOOD]
    silent = [other for other in near if not other.errors and other.code is None]
    vague = [other for other in near if other.header and max(_rank(block), _rank(other)) >= generic]
    pool = same or silent or vague
    return min(pool, key=lambda other: abs(other.line - block.line)) if pool else None
