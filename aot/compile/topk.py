"""The arithmetic behind NCC_IXCG856: how the top-k over the logits is cut into tiles, and what is left over.

An inference of ours from the figures of two public failures (aws-neuron-sdk#1303), not upstream's statement: MAX8 and
MATCH_REPLACE8 take 8 to 16384 elements, so a row of N is cut into ceil(N / 16384) tiles of equal size; what the last
tile falls short by becomes an operand of its own, and 1 to 7 elements are too few for the instruction. Which row is
cut, the whole vocabulary or the batch's logits on one rank laid end to end, the figures cannot tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aot.compile.failure import Tensor

TILE_LIMIT = 16384
"""Most elements per partition that MAX8 / MATCH_REPLACE8 accept."""
LEAST = 8
"""Fewest."""

VOCABULARIES = {151936: "Qwen3 and the smaller Qwen2.5", 152064: "Qwen2.5 from 7B up"}
"""Vocabularies of the reported failures, to name the row that a log's figures fit."""


@dataclass(frozen=True)
class Split:
    """A row of ``elements`` cut into ``tiles`` of ``tile``; the last is ``shortfall`` elements short."""

    elements: int
    tiles: int
    tile: int
    shortfall: int

    @property
    def last(self) -> int:
        """Width of the last tile."""
        return self.tile - self.shortfall

    @property
    def suspicious(self) -> bool:
        """Whether the left-over operand exists and is too narrow for the instruction."""
        return 0 < self.shortfall < LEAST

    def __str__(self) -> str:
        """For a sentence."""
        if self.tiles == 1:
            return f"{self.elements} elements in one tile"
        short = f"short by {self.shortfall}" if self.shortfall else "no remainder"
        return f"{self.elements} elements in {self.tiles} tiles of {self.tile}, {short}"


def split(elements: int) -> Split:
    """Cut a row as the compiler seems to."""
    tiles = max(1, math.ceil(elements / TILE_LIMIT))
    tile = math.ceil(elements / tiles)
    return Split(elements, tiles, tile, tiles * tile - elements)


@dataclass(frozen=True)
class Logits:
    """The operand of the first top-k on one rank: ``[batch, vocabulary / tensor parallel]``, float32."""

    batch: int
    vocabulary: int
    tensor_parallel: int

    @property
    def width(self) -> int:
        """Columns per rank; the vocabulary is padded to a multiple of the degree (NxD ``ColumnParallelLinear``)."""
        return math.ceil(self.vocabulary / self.tensor_parallel)

    @property
    def flattened(self) -> Split:
        """The likelier reading: all rows of one rank end to end."""
        return split(self.batch * self.width)

    @property
    def context(self) -> Split:
        """The likelier reading for context encoding, which the plugin runs at batch 1."""
        return split(self.width)

    @property
    def whole(self) -> Split:
        """The other reading: the vocabulary before it is sharded."""
        return split(self.vocabulary)

    def __str__(self) -> str:
        """As a tensor shape."""
        return f"{self.batch} x {self.width}"


@dataclass(frozen=True)
class Remainder:
    """What two tensors next to NCC_IXCG856 say: last tile and shortfall, and the rows that would give them."""

    last: int
    shortfall: int
    candidates: tuple[Split, ...]
    fits: Split | None
    because: str

    @property
    def tile(self) -> int:
        """Width of a full tile."""
        return self.last + self.shortfall

    def __str__(self) -> str:
        """For a sentence; always followed by the word inference."""
        if self.fits is not None:
            return f"{self.because}: {self.fits.tiles} tiles of {self.tile}, short by {self.shortfall} (inference)"
        return f"a row cut into tiles of {self.tile}, the last {self.last}, short by {self.shortfall} (inference)"


def remainder(tensors: Sequence[Tensor], logits: Logits | None = None) -> Remainder | None:
    """Read the tensors of a failure; None when they are not of that form.

    ``logits`` is the operand of the request at hand, where one is known; without it the row is named only if it is
    the vocabulary of a reported failure.
    """
    narrow = [tensor.shape[-1] for tensor in tensors if tensor.shape[-1] < LEAST]
    wide = [tensor.shape[-1] for tensor in tensors if LEAST <= tensor.shape[-1] <= TILE_LIMIT]
    if not narrow or not wide:
        return None
    last, short = wide[0], narrow[0]
    candidates = tuple(row for row in _rows(last + short, short) if row.tile == last + short)
    if logits is not None:
        for row in (logits.flattened, logits.whole):
            if row in candidates:
                return Remainder(last, short, candidates, row, f"top-k over {logits} logits")
        return Remainder(last, short, candidates, None, "")
    for row in candidates:
        if row.elements in VOCABULARIES:
            return Remainder(last, short, candidates, row, f"a row of {row.elements}, {_named(row.elements)}")
    return Remainder(last, short, candidates, None, "")


def _named(elements: int) -> str:
    return f"the vocabulary of {VOCABULARIES[elements]}, and batch x vocabulary / TP at batch 2, TP 2"


def _rows(tile: int, short: int) -> list[Split]:
    """All rows that cut into tiles of this width with this shortfall."""
    most = TILE_LIMIT // max(1, TILE_LIMIT - tile) + 2
    return [split(tiles * tile - short) for tiles in range(2, min(most, 64))]
