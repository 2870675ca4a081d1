"""Stage 2a: the keyword arguments that the plugin hands to NxDI's NeuronConfig.

Mirrors vllm-neuron 0.4.1 / 0.5.0, worker/neuronx_distributed_model_loader.py: ``_get_default_neuron_config``,
``_validate_override_neuron_config``, ``_get_neuron_config_after_override``, ``_handle_pa_num_blocks``,
``_validate_neuron_config`` and the head of ``_load_weights_common``, in the order of ``get_neuron_model``.

Values of ``override_neuron_config`` are not checked for type upstream: they go through Python's own operators. So they
do here, and an operator that raises there raises here (``compute`` turns that into a refusal).
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from aot.fingerprint.errors import NotCovered, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.fingerprint.engine_settings import EngineSettings

DEFAULT_SAMPLING = {"dynamic": True, "deterministic": False}


def collect(settings: EngineSettings, profile: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the NeuronConfig class, overrides merged and checked. Nested values are still plain JSON."""
    arguments = _defaults(settings)
    given = settings.override_neuron_config
    override = _with_prompt_length({} if given is None else dict(given) if type(given) is dict else given, settings)
    arguments = _merge(arguments, override, profile)
    if arguments.get("is_block_kv_layout"):
        _align_block_count(settings, arguments, override)
    _validate(settings, arguments)
    arguments.pop("draft_overrides", None)
    return arguments


def _defaults(settings: EngineSettings) -> dict[str, Any]:
    """``_get_default_neuron_config``. The number of blocks is rounded down here; the validation rounds up."""
    batch_size, context = settings.max_num_seqs, settings.max_model_len
    if settings.enable_chunked_prefill:
        batch_size, context = 1, settings.max_num_batched_tokens
    blocks = ceil(settings.max_model_len // settings.block_size) * settings.max_num_seqs
    if settings.num_gpu_blocks_override is not None:
        blocks = settings.num_gpu_blocks_override
    return {
        "tp_degree": settings.tensor_parallel_size,
        "ctx_batch_size": 1,
        "batch_size": batch_size,
        "max_context_length": context,
        "seq_len": settings.max_model_len,
        "enable_bucketing": True,
        "is_continuous_batching": batch_size > 1,
        "quantized": False,
        "torch_dtype": settings.dtype,
        "padding_side": "right",
        "on_device_sampling_config": dict(DEFAULT_SAMPLING),
        "lora_config": None,
        "pa_num_blocks": blocks,
        "pa_block_size": settings.block_size,
        "is_block_kv_layout": settings.enable_chunked_prefill or settings.enable_prefix_caching,
        "is_prefix_caching": settings.enable_prefix_caching,
    }


def _with_prompt_length(override: Any, settings: EngineSettings) -> Any:
    """``_validate_override_neuron_config``: ``max_prompt_length`` becomes ``max_context_length``."""
    if settings.max_prompt_length is not None:
        context = override.pop("max_context_length", None)
        if context is not None and context != settings.max_prompt_length:
            raise Refused(
                f"max_prompt_length is {settings.max_prompt_length}, but override_neuron_config says "
                f"max_context_length {context}",
                "give only one of them, or make them equal",
            )
        override["max_context_length"] = settings.max_prompt_length
    return override


def _merge(arguments: dict[str, Any], override: dict[str, Any], profile: Mapping[str, Any]) -> dict[str, Any]:
    """``_get_neuron_config_after_override``. An empty ``chunked_prefill_config`` counts as absent."""
    chunked = override.pop("chunked_prefill_config", None)
    if chunked:
        if not isinstance(chunked, dict):
            raise Refused("chunked_prefill_config is not an object", "give an object")
        override["chunked_prefill_config"] = chunked
    arguments.update(override)
    for name in ("text_neuron_config", "vision_neuron_config"):
        arguments.pop(name, None)
    if "quantized" in override:
        for name, default in profile["plugin"]["quantization_defaults"].items():
            arguments[name] = override.pop(name, default)
    return arguments


def _align_block_count(settings: EngineSettings, arguments: dict[str, Any], override: Mapping[str, Any]) -> None:
    """``_handle_pa_num_blocks``: an explicit count must equal what the user gave as num_gpu_blocks_override."""
    if "pa_num_blocks" not in override:
        return
    if settings.num_gpu_blocks_override is None:
        raise Refused(
            "pa_num_blocks in override_neuron_config needs num_gpu_blocks_override with the same value",
            f"give --num-gpu-blocks-override {arguments['pa_num_blocks']} as well",
        )
    intended = settings.num_gpu_blocks_override - 1
    if arguments["pa_num_blocks"] != intended:
        raise Refused(
            f"pa_num_blocks ({arguments['pa_num_blocks']}) differs from num_gpu_blocks_override ({intended})",
            "make them equal; the extra null block is added for you",
        )
    arguments["pa_num_blocks"] = settings.num_gpu_blocks_override


def _validate(settings: EngineSettings, arguments: Mapping[str, Any]) -> None:
    """``_validate_neuron_config``."""
    block_layout = arguments.get("is_block_kv_layout")
    if settings.enable_prefix_caching and not (arguments.get("is_prefix_caching") and block_layout):
        raise Refused(
            "prefix caching is on, but override_neuron_config turns is_prefix_caching or is_block_kv_layout off",
            "use --no-enable-prefix-caching instead",
        )
    if settings.enable_chunked_prefill and not (arguments.get("chunked_prefill_config") and block_layout):
        raise Refused(
            "chunked prefill is on, which needs chunked_prefill_config in override_neuron_config and block KV layout",
            "give chunked_prefill_config, or --no-enable-chunked-prefill",
        )
    if not block_layout:
        return
    needed = ceil(settings.max_model_len / settings.block_size) * settings.max_num_seqs
    blocks = arguments["pa_num_blocks"]
    if settings.num_gpu_blocks_override is not None:
        blocks = settings.num_gpu_blocks_override - 1
    if not blocks >= needed:
        raise Refused(
            f"{needed} blocks are needed for {settings.max_num_seqs} sequences of {settings.max_model_len}, "
            f"but there are {blocks}",
            f"give --num-gpu-blocks-override {needed}, or a max_model_len that is a multiple of the block size",
        )


def check_speculation(neuron_config: Mapping[str, Any], settings: EngineSettings) -> None:
    """``_load_weights_common``: fused speculation asks for a speculative_config, which would be hashed as well."""
    if not neuron_config["enable_fused_speculation"]:
        return
    if settings.speculative:
        raise NotCovered("fused speculation hashes the draft model's configuration too, which is not modelled")
    raise Refused(
        "override_neuron_config enables fused speculation without a speculative_config", "drop enable_fused_speculation"
    )
