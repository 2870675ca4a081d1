"""Pad the operand of on-device top-k so that its split into tiles leaves no tiny remainder (NCC_IXCG856).

*Inference*, not a confirmed fact: MAX8 / MATCH_REPLACE8, the vector-engine instructions of top-k, work on 8 to 16384
elements per partition; the compiler cuts a wider operand into equal tiles, and when these cover 1 to 7 elements more
than there are, the shortfall ends up as an operand of its own that is too small. The published crashes fit: 2 x 75968
(Qwen3-8B, TP 2) is cut into 10 tiles of 15194, which is 4 too many; 2 x 76032 (Qwen2.5-14B, TP 2) into 10 of 15207, 6
too many. Whether the width or batch x width is what is cut is not known, so both are looked at: suspicion, never a
verdict.

Padding happens *inside* the call. One level up, NxD multiplies the shard's width by the rank to find global token ids
(``operators/topk.py``: ``sharded_size``), so a wider shard would corrupt every id from rank 1 on. The fill is -inf:
masked logits may be the lowest finite value, and a finite fill would outrank real -inf columns. Indices are clamped to
the real width, because a shard may hold fewer than k finite values and ties at -inf are broken as the hardware likes.
"""

from __future__ import annotations

import functools
import inspect
import math
from typing import TYPE_CHECKING, Any

from ..failures import PatchTargetMissing, RunnerError
from . import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, ModuleType

ID = "pad-topk"
TARGET = "neuronx_distributed.operators.topk.TopK"
ORIGIN = "torch_neuronx.xla_impl.ops"  # where NxD imports it from

TILE = 16384  # most elements per partition that MAX8 takes
LEAST = 8  # fewest that MATCH_REPLACE8 takes
# Padding never more than doubles an operand. What is at most half a tile wide is left alone: NxD's second, small top-k
# (global_topk x TP, 512 for TP 2) and the narrow shards of high TP degrees (6331 at TP 24).
NARROWEST = TILE // 2 + 1


def remainder(elements: int) -> int:
    """By how much equal tiles of at most ``TILE`` elements exceed ``elements``; 0 when they fit exactly."""
    tiles = max(1, math.ceil(elements / TILE))
    return tiles * math.ceil(elements / tiles) - elements


def is_suspicious(elements: int) -> bool:
    """Whether cutting ``elements`` leaves a remainder too small for MATCH_REPLACE8."""
    return elements > TILE and 0 < remainder(elements) < LEAST


def padded_width(batch: int, width: int, k: int) -> int:
    """The width to pad the last axis to: a multiple of ``TILE``, or ``width`` itself when nothing is to be done."""
    if width < NARROWEST or k > width:  # with k > width, upstream's own error must stay
        return width
    if not (is_suspicious(width) or is_suspicious(batch * width)):
        return width
    return TILE * math.ceil(width / TILE)


def apply(parameters: dict[str, Any], note: Callable[[dict[str, Any], str], None]) -> None:
    """Replace ``TopK`` in NxD's ``operators.topk``, which looks it up as a module global at every call."""
    if parameters:
        raise RunnerError("internal", f"{ID} takes no parameters, got {sorted(parameters)}")
    module, attribute, original = resolve(TARGET)
    _check(module, original)
    setattr(module, attribute, wrap(original, note))


def _check(module: ModuleType, original: Any) -> None:
    """Raise unless ``TopK`` is the genuine class, callable as we call it, and still used by NxD's functions."""
    _, _, genuine = resolve(f"{ORIGIN}.TopK")
    if original is not genuine:
        raise PatchTargetMissing(TARGET, f"is not {ORIGIN}.TopK (patched already, or upstream changed)")
    try:
        inspect.signature(original.apply).bind(None, 1, dim=-1)
    except (AttributeError, TypeError) as error:
        raise PatchTargetMissing(TARGET, f"has no apply(tensor, k, dim=): {error}") from error
    functions = (value for value in vars(module).values() if inspect.isfunction(value))
    if not any("TopK" in code.co_names for function in functions for code in _codes(function.__code__)):
        raise PatchTargetMissing(TARGET, "no function of that module looks TopK up any more")


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _codes(constant)


def wrap(original: Any, note: Callable[[dict[str, Any], str], None]) -> Any:
    """A subclass of ``original`` whose ``apply(tensor, k, dim=)`` pads where needed and otherwise passes through."""
    inner = original.apply

    @functools.wraps(inner)  # carries over attributes such as func_name, which NxD tests to tell kernels apart
    def padded_apply(tensor: Any, k: int, dim: int | None = -1) -> Any:
        shape = [int(size) for size in tensor.shape]
        last = len(shape) - 1
        if dim not in (None, -1, last) or not tensor.is_floating_point():
            return inner(tensor, k, dim=dim)
        width = shape[last]
        target = padded_width(math.prod(shape[:last]), width, k)
        if target == width:
            return inner(tensor, k, dim=dim)
        _report(note, tensor, k, target)
        import torch

        padded = torch.nn.functional.pad(tensor, (0, target - width), value=float("-inf"))
        values, indices = inner(padded, k, dim=dim)
        return values, torch.clamp(indices, max=width - 1)

    return type(str(original.__name__), (original,), {"apply": staticmethod(padded_apply)})


def _report(note: Callable[[dict[str, Any], str], None], tensor: Any, k: int, target: int) -> None:
    shape = [int(size) for size in tensor.shape]
    width, elements = shape[-1], math.prod(shape)
    operand = f"{str(tensor.dtype).rpartition('.')[2]}[{','.join(map(str, shape))}]"
    # One of the two readings is suspicious, or there would be nothing to report; name the one that is.
    left = remainder(elements) if is_suspicious(elements) else remainder(width)
    message = (
        f"top-k operand {operand} would be cut into tiles that exceed it by {left}, fewer than the {LEAST} elements "
        f"MATCH_REPLACE8 needs (inference, see NCC_IXCG856): last axis padded from {width} to {target} with -inf, "
        f"indices clamped to {width - 1}"
    )
    note({"operand": operand, "width": width, "padded_width": target, "k": k}, message)
