"""SIMULATED ``neuronx_distributed.operators.topk``: top-k over a vocabulary that is sharded over ranks."""

import torch
from aot_simulator.hlo import Shape
from aot_simulator.tracing import Tensor, compute, record
from torch_neuronx.utils import get_platform_target
from torch_neuronx.xla_impl.ops import INDEX, TopK

from neuronx_distributed.utils.utils import hardware


def _kernel(tensor: Tensor, k: int, dim: int):
    """On trn2 and trn3 an NKI kernel does it, in which the compiler has nothing to cut."""
    shape = (*tensor.shape[:-1], k)
    call = record(
        "custom-call", Shape(tensor.dtype.element, shape), Shape("u32", shape),
        operands=(tensor.instruction.id,), target="AwsNeuronCustomNativeKernel", backend_config=b"topk",
    )  # fmt: skip
    both = Tensor(tensor.dtype, shape, call)
    return (
        compute("get-tuple-element", tensor.dtype, shape, both),
        compute("get-tuple-element", INDEX, shape, both, index=1),
    )


def get_topk_implementation():
    chip = hardware(get_platform_target())
    return _kernel if chip in (hardware.TRN2, hardware.TRN3) else TopK.apply


def topk(tensor, k, dim, gather_dim, process_group=None, stages=1, rank_id=None, use_topk_rotated_kernel=False, lnc=2):
    implementation = get_topk_implementation()
    ranks = process_group
    if ranks == 1:
        return implementation(tensor, k, dim=dim)
    sharded_size = tensor.shape[gather_dim]
    local_k = min(k, sharded_size)
    values, indices = implementation(tensor, local_k, dim=dim)
    gathered = (*values.shape[:-1], local_k * ranks)
    all_values = compute("all-gather", values.dtype, gathered, values)
    all_indices = compute("all-gather", indices.dtype, gathered, indices)
    offset = compute("iota", indices.dtype, gathered)
    corrected = compute("add", indices.dtype, gathered, all_indices, offset, op_name=f"offset/{sharded_size}")
    values, positions = implementation(all_values, k, dim=dim)
    return values, torch.gather(corrected, dim, positions)
