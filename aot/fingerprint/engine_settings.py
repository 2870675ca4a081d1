"""Stage 1: what vLLM and the Neuron platform class make of the flags.

Mirrors vLLM 0.13.0 / 0.16.0: ``EngineArgs.create_engine_config`` (engine/arg_utils.py), ``SchedulerConfig`` and
``CacheConfig`` (config/), and vllm-neuron 0.4.1 / 0.5.0: ``NeuronPlatform.check_and_update_config`` (platform.py) with
the functions it replaces in vLLM (platform_overrides.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aot.fingerprint import engine_fields, vllm_config, vllm_quantization
from aot.fingerprint.coercion import as_bool, as_int, product, remainder
from aot.fingerprint.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.fingerprint.hf_config import HfConfig
    from aot.fingerprint.request import FingerprintRequest

CUSTOM_SCHEDULER_TOKEN_BUDGET = 131072  # set by the platform class, whatever the user gave
DISABLE_CUSTOM_SCHEDULER = "DISABLE_NEURON_CUSTOM_SCHEDULER"


@dataclass(slots=True)
class EngineSettings:
    """The resolved values that reach the plugin's loader."""

    architecture: str
    dtype: str
    tensor_parallel_size: int
    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    enable_chunked_prefill: bool
    enable_prefix_caching: bool
    block_size: Any
    num_gpu_blocks_override: int | None
    max_prompt_length: Any
    override_neuron_config: Any
    speculative: bool
    uncovered: list[str]
    """Flags whose effect is not modelled; they matter only where nothing else makes the server refuse."""


def resolve(request: FingerprintRequest, hf: HfConfig, engine: Mapping[str, Any]) -> EngineSettings:
    """``EngineArgs(model=..., **engine_args).create_engine_config(usage_context)``, then the platform hook."""
    args, uncovered = engine_fields.checked(request.engine_args, engine)
    config = vllm_config.view(hf, request.hf_config, args["hf_overrides"], engine)
    dtype = vllm_config.resolve_dtype(args["dtype"], config, engine)
    architecture = vllm_config.architecture(config)
    max_model_len = _max_model_len(args["max_model_len"], engine)
    chunked, caching = _default_features(args, supported=not config["is_encoder_decoder"])
    encoder_decoder = as_bool("is_encoder_decoder", config["is_encoder_decoder"])
    tokens, sequences = _default_batch(args, max_model_len, bool(chunked), request.usage_context, engine)
    if as_int("data_parallel_size", args["data_parallel_size"]) == 0:
        raise Refused("data_parallel_size is 0", "give 1 or more")
    settings = EngineSettings(
        architecture=architecture,
        dtype=dtype,
        tensor_parallel_size=_tensor_parallel(args, engine),
        max_model_len=max_model_len,
        max_num_seqs=as_int("max_num_seqs", sequences),
        max_num_batched_tokens=as_int("max_num_batched_tokens", tokens),
        enable_chunked_prefill=as_bool("enable_chunked_prefill", chunked) and not encoder_decoder,
        enable_prefix_caching=as_bool("enable_prefix_caching", caching),
        block_size=args["block_size"],
        num_gpu_blocks_override=_optional_int("num_gpu_blocks_override", args["num_gpu_blocks_override"]),
        max_prompt_length=None,
        override_neuron_config=None,
        speculative=args["speculative_config"] is not None,
        uncovered=uncovered,
    )
    _check_sliding_window(config)
    _check_expert_parallel(args["enable_expert_parallel"], config)
    if as_bool("trust_remote_code", args["trust_remote_code"]) and "AutoConfig" in request.hf_config.get(
        "auto_map", ()
    ):
        settings.uncovered.append("trust_remote_code for a model that brings its own configuration class")
    if vllm_quantization.is_open(args["quantization"], config, dtype, engine):
        settings.uncovered.append("quantization together with the model's quantization_config")
    _check_scheduler(settings)
    _read_additional_config(settings, args["additional_config"])
    _neuron_platform(settings, request.env)
    return settings


def _max_model_len(given: Any, engine: Mapping[str, Any]) -> int:
    """``ModelConfig.max_model_len``; the plugin's ``changed_get_and_verify_max_len`` derives nothing from the model."""
    if given is None:
        raise Refused(
            "max_model_len is not set: on Neuron vLLM does not derive it from the model and refuses to start",
            "give --max-model-len",
        )
    value = as_int("max_model_len", given)
    if value < engine["max_model_len_minimum"]:
        raise Refused(f"max_model_len {value} is not a positive integer", "give a positive --max-model-len")
    return value


def _default_features(args: Mapping[str, Any], *, supported: bool) -> tuple[Any, Any]:
    """``_set_default_chunked_prefill_and_prefix_caching_args``: both are on for a generative model unless told not."""
    chunked, caching = args["enable_chunked_prefill"], args["enable_prefix_caching"]
    return (supported if chunked is None else chunked, supported if caching is None else caching)


def _default_batch(
    args: Mapping[str, Any], max_model_len: int, chunked: bool, usage_context: str, engine: Mapping[str, Any]
) -> tuple[Any, Any]:
    """``_set_default_max_num_seqs_and_batched_tokens_args``, with the defaults of an unknown device."""
    tokens, sequences = args["max_num_batched_tokens"], args["max_num_seqs"]
    if sequences is None:
        sequences = engine["default_max_num_seqs"][usage_context]
    if tokens is None:
        tokens = engine["default_max_num_batched_tokens"][usage_context]
        if not chunked:
            tokens = max(max_model_len, tokens)
        tokens = min(product(sequences, max_model_len), tokens)
    if args["max_num_seqs"] is None:
        sequences = min(sequences, tokens)
    return tokens, sequences


def _tensor_parallel(args: Mapping[str, Any], engine: Mapping[str, Any]) -> int:
    """vLLM 0.13 takes ``tensor_parallel_size % decode_context_parallel_size`` before any conversion: "4" fails."""
    degree, pipeline = args["tensor_parallel_size"], args["pipeline_parallel_size"]
    context = args["decode_context_parallel_size"]
    _ = pipeline > 1, product(pipeline, degree)
    if engine["parallel_sizes_converted_first"]:
        degree, context = as_int("tensor_parallel_size", degree), as_int("decode_context_parallel_size", context)
    if remainder(degree, context) != 0:
        raise Refused("tensor_parallel_size is not divisible by decode_context_parallel_size", "make it divisible")
    if as_int("pipeline_parallel_size", pipeline) > 1:
        raise Refused(
            "pipeline_parallel_size above 1 fails on Neuron: the plugin calls vLLM's registry with a missing argument",
            "use tensor parallelism only",
        )
    as_int("decode_context_parallel_size", context)
    return as_int("tensor_parallel_size", degree)


def _optional_int(name: str, value: Any) -> int | None:
    return None if value is None else as_int(name, value)


def _check_sliding_window(config: Mapping[str, Any]) -> None:
    """``CacheConfig.sliding_window`` takes the model's window when all layers are of one kind."""
    layers = config.get("layer_types")
    if not layers or len(set(layers)) <= 1:
        _optional_int("sliding_window", config.get("sliding_window"))


def _check_expert_parallel(given: Any, config: Mapping[str, Any]) -> None:
    """``_verify_with_expert_parallelism``: there must be experts."""
    experts = next((config[name] for name in vllm_config.EXPERT_COUNTS if name in config), 0)
    if as_bool("enable_expert_parallel", given) and (experts or 0) < 1:
        raise Refused("enable_expert_parallel is set for a model without experts", "leave it out")


def _check_scheduler(settings: EngineSettings) -> None:
    """``SchedulerConfig`` bounds and ``verify_max_model_len``."""
    tokens, sequences, length = settings.max_num_batched_tokens, settings.max_num_seqs, settings.max_model_len
    if tokens < 1 or sequences < 1:
        raise Refused("max_num_seqs and max_num_batched_tokens must be at least 1", "raise them")
    if tokens < length and not settings.enable_chunked_prefill:
        raise Refused(
            f"max_num_batched_tokens ({tokens}) is smaller than max_model_len ({length}) while chunked prefill is off",
            "leave max_num_batched_tokens out, or raise it; where it is not given, lower max_model_len",
        )
    if tokens < sequences:
        raise Refused(
            f"max_num_batched_tokens ({tokens}) is smaller than max_num_seqs ({sequences})",
            "lower max_num_seqs, or raise max_num_batched_tokens where it is given",
        )


def _read_additional_config(settings: EngineSettings, additional: Any) -> None:
    if not isinstance(additional, dict):
        raise Refused("additional_config is not an object", "give --additional-config as a JSON object")
    settings.max_prompt_length = additional.get("max_prompt_length")
    settings.override_neuron_config = additional.get("override_neuron_config")


def _neuron_platform(settings: EngineSettings, env: Mapping[str, str]) -> None:
    """``NeuronPlatform.check_and_update_config``."""
    if settings.num_gpu_blocks_override is not None:
        settings.num_gpu_blocks_override += 1  # vLLM takes one block as the null block
    if bool(int(env.get(DISABLE_CUSTOM_SCHEDULER, "0"))):
        if settings.block_size is None:
            raise Refused(
                f"with {DISABLE_CUSTOM_SCHEDULER} vLLM's own scheduler is used, which needs a block size",
                "give --block-size",
            )
        return
    settings.enable_chunked_prefill = False
    settings.max_num_batched_tokens = CUSTOM_SCHEDULER_TOKEN_BUDGET
    if not settings.enable_prefix_caching:
        settings.block_size = settings.max_model_len
    elif settings.block_size is None:
        raise Refused(
            "prefix caching is on (vLLM's default when the flag is not given) and then needs a block size",
            "give --block-size, or --no-enable-prefix-caching",
        )
