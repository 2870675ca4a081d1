"""Spell out every option that can enter the fingerprint, so that nothing is left to a default of some release.

Left to itself vLLM 0.13 turns prefix caching on and then refuses for want of a block size, and takes 256 sequences;
these defaults are those of the script this project began with, prefix caching off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from aot import sizing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.request import ServeOptions, Target

MAX_MODEL_LEN = 2048
MAX_NUM_SEQS = 1
BLOCK_SIZE = 32
DTYPE = "bfloat16"
_DTYPE_ALIASES = {"half": "float16", "float": "float32"}  # vLLM config/model.py _STR_DTYPE_TO_TORCH_DTYPE


def spell_out(
    options: ServeOptions, config: Mapping[str, Any], target: Target, lnc: int
) -> tuple[ServeOptions, list[str]]:
    """Options with every hash-relevant field set, and a note for each that ``aot`` chose.

    ``lnc`` is ``sizing.logical_nc``. Raises ``DOES_NOT_FIT`` when no tensor parallel degree of the target's instances
    holds the model, ``NOT_COVERED`` where no degree can be chosen.
    """
    chosen: dict[str, Any] = {}
    if options.max_model_len is None:
        chosen["max_model_len"] = MAX_MODEL_LEN
    if options.max_num_seqs is None:
        chosen["max_num_seqs"] = MAX_NUM_SEQS
    if options.enable_prefix_caching is None:
        chosen["enable_prefix_caching"] = False
    if options.enable_chunked_prefill is None:
        chosen["enable_chunked_prefill"] = False
    if options.block_size is None:
        chosen["block_size"] = BLOCK_SIZE
    dtype = _explicit_dtype(options.dtype, config)
    if dtype != options.dtype:
        chosen["dtype"] = dtype
    explicit = msgspec.structs.replace(options, **chosen)
    notes = [f"{name} = {value} (aot's choice)" for name, value in chosen.items()]
    if explicit.tensor_parallel_size is None:
        fit = sizing.smallest_tensor_parallel(config, explicit, target, lnc)
        explicit = msgspec.structs.replace(explicit, tensor_parallel_size=fit.tensor_parallel_size)
        notes.append(
            f"tensor_parallel_size = {fit.tensor_parallel_size} (the smallest that fits {target}, an estimate)"
        )
    return explicit, notes


def _explicit_dtype(given: str | None, config: Mapping[str, Any]) -> str:
    """``auto`` as vLLM 0.13 ``_resolve_auto_dtype`` (config/model.py) reads it here: float32 becomes bfloat16."""
    if given is None:
        return DTYPE
    if given != "auto":
        return _DTYPE_ALIASES.get(given, given)
    declared = config.get("dtype") or config.get("torch_dtype")
    return "float16" if declared == "float16" else "bfloat16"
