"""Padding inside the top-k call changes nothing about the tokens: proven with torch on the CPU.

NxD's distributed top-k is emulated as its ``operators/topk.py`` does it: top-k of each rank's shard, indices offset by
rank x shard width, gather, a second top-k over the gathered values, gather of the indices. Indices are compared with a
stable reference (lowest index first), since torch's own order among equal values is not defined.
"""

from __future__ import annotations

import itertools
import math

import pytest

from aot.runner.patches import pad_topk
from tests.support.require import require

try:
    import torch
except ImportError:  # pragma: no cover (the marker says so)
    torch = None  # type: ignore[assignment]

pytestmark = pytest.mark.torch

VOCABULARIES = (151936, 152064, 151665, 128256, 129280, 32000, 32768, 262144, 201088, 248320)
K = 256


@pytest.fixture(autouse=True)
def _torch():
    require("torch", torch is not None, "torch is not installed (pip install torch)")
    torch.manual_seed(0)
    torch.set_num_threads(1)  # many small sorts: threads only get in each other's way


class LowestFirst:
    """A top-k that breaks ties by the lowest index; remembers the shapes it was called with."""

    shapes: list[tuple[int, ...]]

    @classmethod
    def apply(cls, tensor, k, dim):
        cls.shapes.append(tuple(tensor.shape))
        values, indices = torch.sort(tensor, dim=dim, descending=True, stable=True)
        return values[..., :k], indices[..., :k].to(torch.int32)


class HighestFirst(LowestFirst):
    """The same with ties broken the other way: the hardware promises nothing."""

    @classmethod
    def apply(cls, tensor, k, dim):
        values, indices = super().apply(torch.flip(tensor, (dim,)), k, dim)
        return values, tensor.shape[dim] - 1 - indices


def fresh(kind):
    return type(kind.__name__, (kind,), {"shapes": []})


def patched(kind, notes=None):
    return pad_topk.wrap(kind, lambda application, message: (notes if notes is not None else []).append(application))


def distributed_topk(logits, ranks, k, topk):
    """NxD's ``topk(..., gather_dim=dim)`` over the columns of ``logits``, all ranks in one process."""
    if ranks == 1:
        return topk.apply(logits, k, dim=1)
    shards = logits.chunk(ranks, dim=1)
    width = shards[0].shape[1]
    assert all(shard.shape[1] == width for shard in shards)
    local_k = min(k, width)
    local = [topk.apply(shard, local_k, dim=1) for shard in shards]
    values = torch.cat([value for value, _ in local], dim=1)
    indices = torch.cat([index for _, index in local], dim=1)
    indices = indices + torch.arange(0, width * ranks, width).repeat_interleave(local_k).view(1, -1)
    values, positions = topk.apply(values, k, dim=1)
    return values, torch.gather(indices, 1, positions.to(torch.int64))


def shard_width(vocabulary, ranks):
    return math.ceil(vocabulary / ranks)


def make_logits(batch, vocabulary, ranks, dtype=None, mask=None):
    """Random logits, padded to a multiple of the ranks; NxDI masks the padding with the lowest finite value."""
    dtype = dtype or torch.float32
    logits = torch.randn(batch, shard_width(vocabulary, ranks) * ranks, dtype=dtype)
    logits[:, vocabulary:] = torch.finfo(dtype).min if mask is None else mask
    return logits


def assert_same(first, second):
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1].to(torch.int64), second[1].to(torch.int64))


def padded_cases():
    """Every batch, vocabulary and TP degree from 1 to 24 where the patch pads anything."""
    for vocabulary, ranks, batch in itertools.product(VOCABULARIES, range(1, 25), (1, 2, 4)):
        width = shard_width(vocabulary, ranks)
        if pad_topk.padded_width(batch, width, K) != width:
            yield batch, vocabulary, ranks


def test_the_published_crashes_are_padded():
    assert (2, 151936, 2) in set(padded_cases())
    assert (2, 152064, 2) in set(padded_cases())
    powers = [case for case in padded_cases() if case[1] in (32000, 32768, 128256, 262144) and case[2] in (1, 2, 4, 8)]
    assert powers == []
    # Without these the next test would prove nothing.
    assert len({ranks for _, _, ranks in padded_cases()}) > 8


@pytest.mark.parametrize(("batch", "vocabulary", "ranks"), sorted(padded_cases()))
def test_real_vocabularies_at_all_tensor_parallel_degrees(batch, vocabulary, ranks):
    logits = make_logits(batch, vocabulary, ranks)
    plain, wrapped, notes = fresh(LowestFirst), fresh(LowestFirst), []
    expected = distributed_topk(logits, ranks, K, plain)
    assert_same(distributed_topk(logits, ranks, K, patched(wrapped, notes)), expected)
    if batch == 1:  # the emulation itself is right: the same as one top-k over the whole vocabulary
        assert_same(expected, fresh(LowestFirst).apply(logits, K, dim=1))
    width = shard_width(vocabulary, ranks)
    assert notes[0]["width"] == width
    assert notes[0]["padded_width"] % 16384 == 0
    assert wrapped.shapes[0] == (batch, notes[0]["padded_width"])
    # The second, small call of NxD is never inflated.
    assert wrapped.shapes[ranks:] == plain.shapes[ranks:]


@pytest.mark.parametrize(
    ("vocabulary", "ranks"),
    [case for case in itertools.product(VOCABULARIES, (1, 2, 8, 12, 24)) if (1, *case) not in set(padded_cases())],
)
def test_what_leaves_no_small_remainder_passes_through_untouched(vocabulary, ranks):
    logits = make_logits(1, vocabulary, ranks)
    plain, wrapped, notes = fresh(LowestFirst), fresh(LowestFirst), []
    expected = distributed_topk(logits, ranks, K, plain)
    assert_same(distributed_topk(logits, ranks, K, patched(wrapped, notes)), expected)
    assert wrapped.shapes == plain.shapes
    assert notes == []


BOUNDARIES = sorted(
    {tiles * 16384 + offset for tiles in range(1, 6) for offset in (*range(-9, 10), -4096, 4095)} | {8192, 8193, 12289}
)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("batch", [1, 3])
def test_all_widths_near_the_boundaries(batch, dtype):
    padded = 0
    for width in BOUNDARIES:
        # Few distinct values, so that ties are everywhere, also in float32.
        tensor = torch.randint(-50, 50, (batch, width)).to(getattr(torch, dtype))
        for k in (1, 256) if width % 2 else (8, 255):
            wrapped = fresh(LowestFirst)
            assert_same(patched(wrapped).apply(tensor, k, dim=-1), fresh(LowestFirst).apply(tensor, k, dim=-1))
            padded += wrapped.shapes != [(batch, width)]
    assert padded > 20


def masks():
    return ("-inf", "lowest", "both")


def masked(batch, vocabulary, ranks, finite, mask, dtype):
    """Logits of which each shard has only ``finite`` ordinary columns; the rest is masked."""
    logits = make_logits(batch, vocabulary, ranks, dtype, float("-inf"))
    width, lowest = logits.shape[1] // ranks, torch.finfo(dtype).min
    for rank in range(ranks):
        rest = logits[:, rank * width + finite : (rank + 1) * width]
        rest[:] = lowest if mask == "lowest" else float("-inf")
        if mask == "both":
            rest[:, ::3] = lowest
    return logits


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("mask", masks())
@pytest.mark.parametrize("finite", [0, 3, 255, 256, 300])
def test_shards_with_fewer_than_k_unmasked_columns(finite, mask, dtype):
    logits = masked(2, 151936, 2, finite, mask, getattr(torch, dtype))
    wrapped = fresh(LowestFirst)
    assert_same(distributed_topk(logits, 2, K, patched(wrapped)), distributed_topk(logits, 2, K, fresh(LowestFirst)))
    assert wrapped.shapes[0] == (2, 81920)


@pytest.mark.parametrize("mask", masks())
@pytest.mark.parametrize("finite", [0, 3, 300])
def test_whichever_way_ties_are_broken_no_index_leaves_its_shard(finite, mask):
    shard = masked(2, 75968, 1, finite, mask, torch.float32)
    values, indices = patched(fresh(HighestFirst)).apply(shard, K, dim=-1)
    assert torch.equal(values, fresh(HighestFirst).apply(shard, K, dim=-1)[0])
    assert int(indices.min()) >= 0
    assert int(indices.max()) < 75968
    # Every index points at a column that holds the value reported for it.
    assert torch.equal(torch.gather(shard, 1, indices.to(torch.int64)), values)


def with_fill(kind, fill, clamp=True):
    """The patch done wrong: another fill, or no clamping."""

    def apply(tensor, k, dim):
        width = tensor.shape[-1]
        if width != 75968:
            return kind.apply(tensor, k, dim=dim)
        values, indices = kind.apply(torch.nn.functional.pad(tensor, (0, 81920 - width), value=fill), k, dim=dim)
        return values, torch.clamp(indices, max=width - 1) if clamp else indices

    return type("Wrong", (), {"apply": staticmethod(apply)})


def test_a_finite_fill_would_outrank_masked_columns():
    logits = masked(2, 151936, 2, 3, "-inf", torch.float32)
    expected = distributed_topk(logits, 2, K, fresh(LowestFirst))
    lowest = torch.finfo(torch.float32).min
    wrong = distributed_topk(logits, 2, K, with_fill(fresh(LowestFirst), lowest))
    assert not torch.equal(wrong[0], expected[0])
    assert_same(distributed_topk(logits, 2, K, with_fill(fresh(LowestFirst), float("-inf"))), expected)


def test_without_clamping_ids_of_the_next_shard_would_come_back():
    shard = masked(2, 75968, 1, 3, "-inf", torch.float32)
    _, wrong = with_fill(fresh(HighestFirst), float("-inf"), clamp=False).apply(shard, K, dim=-1)
    assert int(wrong.max()) >= 75968


@pytest.mark.parametrize("ranks", [2, 4])
def test_padding_one_level_up_would_corrupt_the_ids(ranks):
    logits = make_logits(2, 151936, ranks)
    expected = distributed_topk(logits, ranks, K, fresh(LowestFirst))
    shards = logits.chunk(ranks, dim=1)
    wider = 16384 * math.ceil(shards[0].shape[1] / 16384) - shards[0].shape[1]
    padded = [torch.nn.functional.pad(shard, (0, wider), value=float("-inf")) for shard in shards]
    wrong = distributed_topk(torch.cat(padded, dim=1), ranks, K, fresh(LowestFirst))
    assert torch.equal(wrong[0], expected[0])  # the values are right, which is what makes this one hard to notice
    assert not torch.equal(wrong[1], expected[1])


def test_three_dimensions_and_other_axes():
    tensor = torch.randn(2, 1, 75968)
    notes: list = []
    assert_same(patched(fresh(LowestFirst), notes).apply(tensor, K, dim=2), fresh(LowestFirst).apply(tensor, K, dim=2))
    assert notes == [{"operand": "float32[2,1,75968]", "width": 75968, "padded_width": 81920, "k": 256}]
    wrapped = fresh(LowestFirst)
    patched(wrapped).apply(tensor, 1, dim=0)
    assert wrapped.shapes == [(2, 1, 75968)]


def test_integers_have_no_infinity_and_pass_through():
    tensor = torch.arange(75968 * 2).view(2, 75968)
    wrapped = fresh(LowestFirst)
    patched(wrapped).apply(tensor, K, dim=-1)
    assert wrapped.shapes == [(2, 75968)]


def test_index_type_is_kept():
    _, indices = patched(fresh(LowestFirst)).apply(torch.randn(2, 75968), K, dim=-1)
    assert indices.dtype == torch.int32
