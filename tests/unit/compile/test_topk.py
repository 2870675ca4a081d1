"""The arithmetic of NCC_IXCG856 against every figure of the public report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aot.compile.failure import Tensor
from aot.compile.topk import TILE_LIMIT, Logits, remainder, split


def pair(last: int, short: int) -> list[Tensor]:
    return [Tensor("float32", (2, last)), Tensor("float32", (1, short))]


@pytest.mark.parametrize(
    ("elements", "tiles", "tile", "shortfall"),
    [
        (151936, 10, 15194, 4),
        (152064, 10, 15207, 6),
        (128256, 8, 16032, 0),
        (32000, 2, 16000, 0),
        (32768, 2, 16384, 0),
        (16384, 1, 16384, 0),
        (16385, 2, 8193, 1),
        (1, 1, 1, 0),
    ],
)
def test_how_a_row_is_cut(elements: int, tiles: int, tile: int, shortfall: int) -> None:
    cut = split(elements)
    assert (cut.tiles, cut.tile, cut.shortfall) == (tiles, tile, shortfall)
    assert cut.suspicious == (0 < shortfall < 8)


@given(st.integers(min_value=1, max_value=2_000_000))
def test_tiles_cover_the_row_and_fit_the_instruction(elements: int) -> None:
    cut = split(elements)
    assert cut.tile <= TILE_LIMIT
    assert (cut.tiles - 1) * cut.tile + cut.last == elements
    assert 0 <= cut.shortfall < cut.tiles


@pytest.mark.parametrize(
    ("vocabulary", "batch", "expected"),
    [(152064, 1, 3), (152064, 2, 6), (152064, 4, 5), (152064, 8, 10), (151936, 1, 2), (151936, 2, 4), (151936, 4, 14)],
)
def test_remainders_by_batch_at_tp_2(vocabulary: int, batch: int, expected: int) -> None:
    assert Logits(batch, vocabulary, 2).flattened.shortfall == expected


def test_a_vocabulary_that_the_degree_does_not_divide_is_padded() -> None:
    assert Logits(1, 32001, 2).width == 16001


@pytest.mark.parametrize(("vocabulary", "last", "short"), [(151936, 15190, 4), (152064, 15201, 6)])
def test_the_tensors_of_the_report_give_the_vocabulary(vocabulary: int, last: int, short: int) -> None:
    found = remainder(pair(last, short))
    assert found is not None
    assert found.fits == split(vocabulary)
    assert (found.fits.tiles, found.tile, found.shortfall) == (10, last + short, short)
    assert str(vocabulary) in str(found)
    assert str(found).endswith("(inference)")


def test_a_request_names_its_own_row() -> None:
    found = remainder(pair(15190, 4), Logits(2, 151936, 2))
    assert str(found) == "top-k over 2 x 75968 logits: 10 tiles of 15194, short by 4 (inference)"


def test_a_row_that_fits_nothing_known_is_left_open() -> None:
    found = remainder(pair(16000, 2))
    assert found is not None
    assert found.fits is None
    assert str(found) == "a row cut into tiles of 16002, the last 16000, short by 2 (inference)"
    other = remainder(pair(15190, 4), Logits(2, 128256, 2))
    assert other is not None
    assert other.fits is None


@pytest.mark.parametrize(
    "tensors", [[], [Tensor("float32", (2, 15190))], [Tensor("float32", (1, 4))], pair(70000, 4), pair(15190, 8)]
)
def test_other_tensors_are_not_forced_into_the_form(tensors: list[Tensor]) -> None:
    assert remainder(tensors) is None
