"""SIMULATED ``torch.nn.functional``."""

from aot_simulator import DoesNotKnow
from aot_simulator.tracing import Tensor, compute, scalar


def pad(input: Tensor, pad, mode="constant", value=None) -> Tensor:
    if mode != "constant" or len(pad) != 2 or min(pad) < 0:
        raise DoesNotKnow(f"padding {pad} in mode {mode!r}")
    shape = (*input.shape[:-1], input.shape[-1] + sum(pad))
    sides = ((0, 0),) * (input.dim() - 1) + (tuple(pad),)
    return compute("pad", input.dtype, shape, input, scalar(input.dtype, value or 0.0), padding=sides)
