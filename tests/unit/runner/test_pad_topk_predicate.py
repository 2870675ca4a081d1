"""Which operands are padded, and to what: the arithmetic, without torch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aot.runner.patches.pad_topk import is_suspicious, padded_width, remainder

widths = st.integers(1, 300_000)
batches = st.integers(1, 64)


def cut(elements: int) -> list[int]:
    """The split that the published crashes show: equal tiles, as few as hold 16384 each, the last one shorter."""
    tiles = -(-elements // 16384)
    size = -(-elements // tiles)
    return [size] * (tiles - 1) + [elements - size * (tiles - 1)]


@pytest.mark.parametrize(
    ("batch", "width", "tile", "last", "left"),
    [(2, 75968, 15194, 15190, 4), (2, 76032, 15207, 15201, 6)],
    ids=["Qwen3-8B TP 2", "Qwen2.5-14B TP 2"],
)
def test_the_figures_of_the_published_crashes(batch, width, tile, last, left):
    assert cut(batch * width)[0] == tile
    assert cut(batch * width)[-1] == last
    assert remainder(batch * width) == left
    assert is_suspicious(batch * width)
    assert padded_width(batch, width, 256) == 81920


@pytest.mark.parametrize(("batch", "left"), [(1, 3), (2, 6), (4, 5), (8, 10)])
def test_qwen2_remainders_by_batch(batch, left):
    assert remainder(batch * 152064 // 2) == left


@pytest.mark.parametrize("vocabulary", [128256, 32000, 32768])
@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
def test_vocabularies_that_compile_are_left_alone(vocabulary, ranks):
    assert padded_width(2, vocabulary // ranks, 256) == vocabulary // ranks


@given(elements=widths)
def test_remainder_is_what_the_last_tile_lacks(elements):
    tiles = cut(elements)
    assert sum(tiles) == elements
    assert remainder(elements) == tiles[0] - tiles[-1]


@given(elements=widths)
def test_only_remainders_of_one_to_seven_in_more_than_one_tile_are_suspicious(elements):
    assert is_suspicious(elements) == (elements > 16384 and 1 <= remainder(elements) <= 7)


@given(batch=batches, width=widths, k=st.sampled_from([1, 8, 256]))
def test_padding_cures_both_readings_and_never_more_than_doubles(batch, width, k):
    target = padded_width(batch, width, k)
    assert target >= width
    if target == width:
        suspicious = is_suspicious(width) or is_suspicious(batch * width)
        assert not suspicious or width <= 8192 or k > width
    else:
        assert target % 16384 == 0
        assert target < 2 * width
        assert target - width < 16384
        assert not is_suspicious(target)
        assert not is_suspicious(batch * target)
        assert is_suspicious(width) or is_suspicious(batch * width)


@given(batch=st.integers(1, 4096))
def test_the_second_top_k_and_narrow_shards_are_never_inflated(batch):
    for width in (256, 512, 1024, 6331, 256 * 24):
        assert padded_width(batch, width, 256) == width


def test_either_reading_is_enough():
    # 16383 x 2 is one short of two tiles; 32766 itself is one tile wide too many for one reading only.
    assert not is_suspicious(16383)
    assert not is_suspicious(2 * 16383)
    assert is_suspicious(75968)
    assert not is_suspicious(4 * 75968)
    assert padded_width(4, 75968, 256) == 81920
    assert not is_suspicious(9496)
    assert is_suspicious(4 * 9496)
    assert padded_width(4, 9496, 256) == 16384


def test_k_wider_than_the_operand_keeps_upstreams_error():
    assert padded_width(4, 9496, 9497) == 9496
