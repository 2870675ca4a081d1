"""Does the model fit the device? Estimates from the HF config and ``manifests/instances.json``; nothing is measured.

Per logical core, at tensor parallel degree TP::

    need = 1.10 x (parameters x bytes + KV cache) / TP + 1 GiB
    KV cache = 2 x layers x KV heads x head_dim x tokens x bytes,   tokens = max_num_seqs x max_model_len

KV heads are what NxDI makes of them at that degree (replicated, or one per attention head; NxDI
``modules/attention/gqa.py``). The 10 % and the 1 GiB stand for activations, scratch space, collectives and the NEFFs
themselves: round figures of ours, not upstream's.

``lnc`` is everywhere what ``logical_nc`` says: physical cores per logical core, on which the number and the memory of
the cores depend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from aot import instances, parameters, units
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.parameters import Shape
    from aot.request import BuildRequest, ServeOptions, Target
    from aot.toolchain import Toolchain

OVERHEAD = 1.10
FIXED_BYTES = 1 << 30
FORMULA = "1.10 x (weights + KV cache) / TP + 1 GiB per core"
_DTYPE_BYTES = {"bfloat16": 2, "float16": 2, "half": 2, "float32": 4, "float": 4}
_MOST_TOKENS = 1 << 50
_TRN1_DEVICES = (1, 4, 8, 16)
"""trn1.32xlarge gives out 1, 4, 8 or 16 devices (SDK, Kubernetes device plugin): TP 4 would need two."""


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate for one degree; bytes. ``instance`` is the smallest type with that many cores."""

    tensor_parallel_size: int
    parameters: int
    weight_bytes: int
    kv_cache_bytes: int
    per_core_bytes: int
    core_memory_bytes: int
    fits: bool
    instance: str
    formula: str = FORMULA
    confidence: str = "estimate"

    def summary(self) -> str:
        """One line with the numbers."""
        verdict = "fits" if self.fits else "does NOT fit"
        return (
            f"{verdict} {self.instance} at TP {self.tensor_parallel_size} (estimate): "
            f"{units.size(self.per_core_bytes)} of {units.size(self.core_memory_bytes)} per core, "
            f"for {self.parameters / 1e9:.2f} billion parameters ({units.size(self.weight_bytes)}) "
            f"and {units.size(self.kv_cache_bytes)} of KV cache"
        )


def logical_nc(request: BuildRequest, chain: Toolchain) -> int:
    """Physical cores per logical core of a build, 1 or 2.

    The variable wins over the override, that over the release's default for the target (NxDI ``_get_lnc``; SDK guide
    "Logical NeuronCores").
    """
    if request.logical_nc_config is not None:
        return request.logical_nc_config
    override = (request.options.additional_config or {}).get("override_neuron_config")
    value = override.get("logical_nc_config") if isinstance(override, dict) else None
    if isinstance(value, int) and value >= 1:
        return min(value, 2)  # no device joins more than two
    return chain.default_lnc[request.target]


def degrees(target: Target, lnc: int) -> tuple[int, ...]:
    """Tensor parallel degrees that instances of the target offer, ascending."""
    found: set[int] = set()
    for instance in instances.of_target(target):
        cores = instance.logical_cores(lnc)
        found |= {1 << power for power in range(cores.bit_length()) if 1 << power <= cores} | {cores}
    if target == "trn1":
        found &= {1, *(2 * devices for devices in _TRN1_DEVICES)}
    return tuple(sorted(found))


def smallest_tensor_parallel(config: Mapping[str, Any], options: ServeOptions, target: Target, lnc: int) -> Sizing:
    """The smallest degree that fits and that divides the attention heads.

    The division is our preference: vLLM would demand it (``verify_with_parallel_config``), but the plugin replaces that
    check (``skip_verify_with_parallel_config``), and NxDI pads the heads, which costs memory and time.
    Raises ``DOES_NOT_FIT`` with the numbers of the largest degree, ``NOT_COVERED`` for a family without a count and for
    a malformed config.
    """
    shape = parameters.shape_of(config)
    tried: list[Sizing] = []
    for degree in degrees(target, lnc):
        found = _estimate(config, options, target, degree, lnc)
        if found is None or shape is None:
            raise _not_counted(config)
        if shape.heads % degree == 0:
            if found.fits:
                return found
            tried.append(found)
    raise _does_not_fit(tried, target)


def estimate(config: Mapping[str, Any], options: ServeOptions, target: Target, lnc: int) -> Sizing | None:
    """The estimate for the degree that the options name; None where it cannot be made."""
    if options.tensor_parallel_size is None:
        return None
    return _estimate(config, options, target, options.tensor_parallel_size, lnc)


def check_cores(options: ServeOptions, target: Target, lnc: int) -> None:
    """Raise ``DOES_NOT_FIT`` when no instance of the target has as many cores as the degree asks for."""
    degree = options.tensor_parallel_size or 1
    largest = instances.of_target(target)[-1]
    cores = largest.logical_cores(lnc)
    if degree > cores:
        raise AotError(
            ErrorId.DOES_NOT_FIT,
            reason=f"tensor parallel degree {degree} needs {degree} cores, and the largest {target} instance"
            f" ({largest.instance_type}) has {cores}{' logical ones' if lnc > 1 else ''}",
            remedy=f"choose a degree of at most {cores}, or another target",
        )


def _estimate(config: Mapping[str, Any], options: ServeOptions, target: Target, degree: int, lnc: int) -> Sizing | None:
    shape, total = parameters.shape_of(config), parameters.count(config)
    fitting = [instance for instance in instances.of_target(target) if instance.logical_cores(lnc) >= degree]
    if shape is None or total is None or not fitting or _tokens(options) > _MOST_TOKENS:
        return None
    size = _DTYPE_BYTES.get(options.dtype or "bfloat16", 2)
    weights, cache = total * size, kv_cache_bytes(shape, options, degree, size)
    need = int(OVERHEAD * (weights + cache) / degree) + FIXED_BYTES
    memory = fitting[0].core_memory(lnc)
    return Sizing(
        tensor_parallel_size=degree,
        parameters=total,
        weight_bytes=weights,
        kv_cache_bytes=cache,
        per_core_bytes=need,
        core_memory_bytes=memory,
        fits=need <= memory,
        instance=fitting[0].instance_type,
    )


def kv_cache_bytes(shape: Shape, options: ServeOptions, degree: int, size: int) -> int:
    """Bytes of KV cache over all cores, ``size`` per element."""
    return 2 * shape.layers * _kv_heads(shape, degree) * shape.head_dim * _tokens(options) * size


def _tokens(options: ServeOptions) -> int:
    if options.enable_prefix_caching and options.num_gpu_blocks_override and options.block_size:
        return options.num_gpu_blocks_override * options.block_size
    return (options.max_num_seqs or 1) * (options.max_model_len or 2048)


def _kv_heads(shape: Shape, degree: int) -> int:
    """As NxDI ``get_shardable_head_counts``: kept, replicated to the degree, or one per attention head."""
    if shape.kv_heads % degree == 0:
        return shape.kv_heads
    return degree if degree % shape.kv_heads == 0 else padded_heads(shape, degree)


def _not_counted(config: Mapping[str, Any]) -> AotError:
    wrong = parameters.problem(config)
    if wrong is not None:
        return AotError(
            ErrorId.NOT_COVERED,
            reason=f"aot cannot choose a tensor parallel degree: in config.json {wrong}",
            remedy="correct config.json, or give --tensor-parallel-size",
        )
    kind = parameters.text_config(config).get("model_type")
    return AotError(
        ErrorId.NOT_COVERED,
        reason=f"aot cannot estimate the size of model type {kind!r} with these options, so it cannot choose a tensor"
        " parallel degree",
        remedy="give --tensor-parallel-size",
    )


def padded_heads(shape: Shape, degree: int) -> int:
    """Attention heads after NxDI's padding to a multiple of the degree (``get_number_of_extra_heads``)."""
    return -(-shape.heads // degree) * degree


def _does_not_fit(tried: list[Sizing], target: Target) -> AotError:
    best = tried[-1]
    return AotError(
        ErrorId.DOES_NOT_FIT,
        reason=f"no tensor parallel degree fits {target}: {best.summary()}",
        remedy="lower --max-model-len or --max-num-seqs, choose a target with more memory, or give"
        " --tensor-parallel-size to build all the same",
        facts={"estimates": [msgspec.to_builtins(sizing) for sizing in tried]},
    )
