"""Symbolic tensors: an element type, a shape, and the HLO instruction that computes them. No values anywhere."""

import contextlib
import struct

from . import DoesNotKnow, wire
from .hlo import Module, Shape

_MODULES: list = []


@contextlib.contextmanager
def module(name: str):
    """Record everything computed inside into a new HLO module."""
    _MODULES.append(Module(name))
    try:
        yield _MODULES[-1]
    finally:
        _MODULES.pop()


def record(opcode: str, *shapes: Shape, **keywords):
    if not _MODULES:
        raise DoesNotKnow("tensors outside of a traced model")
    return _MODULES[-1].add(opcode, *shapes, **keywords)


class DType:
    """As ``torch.float32`` prints and compares."""

    def __init__(self, name: str, element: str, *, floating: bool) -> None:
        self.name, self.element, self.is_floating_point = name, element, floating

    def __repr__(self) -> str:
        return f"torch.{self.name}"


class Tensor:
    def __init__(self, dtype: DType, shape: tuple, instruction) -> None:
        self.dtype, self.shape, self.instruction = dtype, tuple(shape), instruction

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def dim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"SIMULATED {self.dtype!r}{list(self.shape)}"


def compute(opcode: str, dtype: DType, shape, *operands: Tensor, **keywords) -> Tensor:
    """A tensor computed from others by one instruction."""
    ids = tuple(operand.instruction.id for operand in operands)
    return Tensor(dtype, shape, record(opcode, Shape(dtype.element, tuple(shape)), operands=ids, **keywords))


def scalar(dtype: DType, value: float) -> Tensor:
    # xla_data.proto, LiteralProto: f32s = 8, bf16s = 17, f16s = 11 (bytes), s32s = 4, u32s = 6
    if dtype.element == "f32":
        literal = wire.chunk(8, struct.pack("<f", value))
    elif dtype.element == "bf16":
        literal = wire.chunk(17, struct.pack("<f", value)[2:])
    elif dtype.element == "f16":
        literal = wire.chunk(11, struct.pack("<e", value))
    else:
        literal = wire.packed(6 if dtype.element == "u32" else 4, (int(value),))
    return compute("constant", dtype, (), literal=literal)
