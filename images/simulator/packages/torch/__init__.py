"""SIMULATED torch: symbolic tensors, as much as tracing the sampling head takes."""

from aot_simulator.toolchains import current
from aot_simulator.tracing import DType, Tensor, compute, scalar

__version__ = current().version("torch")

dtype = DType
float32 = float = DType("float32", "f32", floating=True)
bfloat16 = DType("bfloat16", "bf16", floating=True)
float16 = half = DType("float16", "f16", floating=True)
int32 = DType("int32", "s32", floating=False)
int64 = long = DType("int64", "s64", floating=False)


def clamp(input: Tensor, min=None, max=None) -> Tensor:
    result = input
    if min is not None:
        result = compute("maximum", input.dtype, input.shape, result, _like(input, min))
    if max is not None:
        result = compute("minimum", input.dtype, input.shape, result, _like(input, max))
    return result


def _like(tensor: Tensor, value) -> Tensor:
    return compute("broadcast", tensor.dtype, tensor.shape, scalar(tensor.dtype, value))


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    return compute("gather", input.dtype, index.shape, input, index)


from . import nn as nn  # noqa: E402 (functional uses what is above)
