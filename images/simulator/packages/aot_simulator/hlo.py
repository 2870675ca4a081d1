"""HLO modules: recorded while a model is traced, written and read as ``HloModuleProto``.

Field numbers are those of XLA's ``hlo.proto`` and ``xla_data.proto``, so the files can be read by other HLO tools.
"""

import hashlib
from dataclasses import dataclass, field

from . import wire

# xla_data.proto, PrimitiveType
ELEMENT_TYPES = {"pred": 1, "s32": 4, "s64": 5, "u32": 8, "f16": 10, "f32": 11, "bf16": 16}
ELEMENT_NAMES = {number: name for name, number in ELEMENT_TYPES.items()}
TUPLE = 13


@dataclass(frozen=True)
class Shape:
    element: str
    dimensions: tuple

    def __str__(self) -> str:
        return f"{self.element}[{','.join(map(str, self.dimensions))}]"

    def encode(self) -> bytes:
        layout = wire.packed(1, tuple(reversed(range(len(self.dimensions)))))  # minor to major
        return wire.number(2, ELEMENT_TYPES[self.element]) + wire.packed(3, self.dimensions) + wire.chunk(5, layout)

    @staticmethod
    def decode(data: bytes) -> "Shape":
        fields = wire.parse(data)
        element = fields[2][0]
        if element == TUPLE:
            return Shape("tuple", tuple(Shape.decode(part) for part in fields.get(4, [])))
        return Shape(ELEMENT_NAMES.get(element, f"type{element}"), tuple(wire.unpack(fields.get(3, []))))


@dataclass
class Instruction:
    id: int
    opcode: str
    shapes: tuple  # one Shape, or several for a tuple
    operands: tuple = ()
    op_name: str = ""
    target: str = ""
    backend_config: bytes = b""
    parameter: int = 0
    index: int = 0
    padding: tuple = ()  # (low, high) per dimension
    literal: bytes = b""

    @property
    def name(self) -> str:
        return f"{self.opcode}.{self.id}"

    def encode(self) -> bytes:
        if len(self.shapes) == 1 and self.opcode != "tuple":
            shape = self.shapes[0].encode()
        else:
            shape = wire.number(2, TUPLE) + b"".join(wire.chunk(4, part.encode()) for part in self.shapes)
        out = wire.chunk(1, self.name) + wire.chunk(2, self.opcode) + wire.chunk(3, shape)
        if self.op_name:
            out += wire.chunk(7, wire.chunk(1, self.opcode) + wire.chunk(2, self.op_name))
        if self.literal:
            out += wire.chunk(8, wire.chunk(1, self.shapes[0].encode()) + self.literal)
        out += wire.number(9, self.parameter) + wire.number(13, self.index)
        if self.padding:
            sides = (wire.number(1, low) + wire.number(2, high) for low, high in self.padding)
            out += wire.chunk(21, b"".join(wire.chunk(1, side) for side in sides))
        if self.target:
            out += wire.chunk(28, self.target)
        out += wire.number(35, self.id) + wire.packed(36, self.operands)
        if self.backend_config:
            out += wire.chunk(43, self.backend_config)
        return out


@dataclass
class Module:
    """One entry computation under construction."""

    name: str
    instructions: list = field(default_factory=list)
    parameters: int = 0

    def add(self, opcode: str, *shapes: Shape, **keywords) -> Instruction:
        instruction = Instruction(len(self.instructions) + 1, opcode, shapes, **keywords)
        if opcode == "parameter":
            instruction.parameter = self.parameters
            self.parameters += 1
        self.instructions.append(instruction)
        return instruction

    def encode(self) -> bytes:
        root = self.instructions[-1].id
        computation = wire.chunk(1, "main") + b"".join(wire.chunk(2, i.encode()) for i in self.instructions)
        computation += wire.number(5, 1) + wire.number(6, root)
        return (
            wire.chunk(1, self.name) + wire.chunk(2, "main") + wire.chunk(3, computation)
            + wire.number(5, 1) + wire.number(6, 1)
        )  # fmt: skip


@dataclass(frozen=True)
class ReadInstruction:
    id: int
    opcode: str
    shape: Shape
    operands: tuple
    target: str
    backend_config: bytes
    op_name: str


@dataclass(frozen=True)
class ReadModule:
    name: str
    instructions: tuple
    digest: str


def decode(data: bytes) -> ReadModule:
    """Read an ``HloModuleProto``; ``ValueError`` when it is none."""
    fields = wire.parse(data)
    if 1 not in fields or 3 not in fields:
        raise ValueError("no HloModuleProto: name or computations are missing")
    instructions = [_read(wire.parse(body)) for computation in fields[3] for body in wire.parse(computation).get(2, [])]
    return ReadModule(fields[1][0].decode(), tuple(instructions), hashlib.sha256(data).hexdigest())


def _read(fields: dict) -> ReadInstruction:
    metadata = wire.parse(fields[7][0]) if 7 in fields else {}
    return ReadInstruction(
        id=fields.get(35, [0])[0],
        opcode=fields[2][0].decode(),
        shape=Shape.decode(fields[3][0]),
        operands=tuple(wire.unpack(fields.get(36, []))),
        target=fields.get(28, [b""])[0].decode(),
        backend_config=fields.get(43, [b""])[0],
        op_name=metadata.get(2, [b""])[0].decode(),
    )
