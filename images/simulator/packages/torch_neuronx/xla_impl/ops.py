"""SIMULATED ``torch_neuronx.xla_impl.ops``: the top-k custom call."""

from aot_simulator.hlo import Shape
from aot_simulator.tracing import DType, Tensor, compute, record

INDEX = DType("int32", "u32", floating=False)  # as upstream: unsigned in HLO, int32 to torch


class TopK:
    @classmethod
    def apply(cls, input: Tensor, k: int, dim=None):
        if k > input.shape[-1]:
            raise RuntimeError(f"selected index k out of range: k={k}, width={input.shape[-1]}")
        shape = (*input.shape[:-1], k)
        call = record(
            "custom-call", Shape(input.dtype.element, shape), Shape("u32", shape),
            operands=(input.instruction.id,), target="AwsNeuronTopK", backend_config=str(k).encode(),
            op_name="sampler/AwsNeuronTopK",
        )  # fmt: skip
        both = Tensor(input.dtype, shape, call)
        values = compute("get-tuple-element", input.dtype, shape, both)
        indices = compute("get-tuple-element", INDEX, shape, both, index=1)
        return values, indices
