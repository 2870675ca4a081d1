"""Build the config exactly as a vLLM server on Neuron does, up to the point where it would look for its artifact.

The sequence is that of ``get_neuron_model`` and ``_load_weights_common`` in vllm-neuron's
``worker/neuronx_distributed_model_loader.py``. Releases 0.2.x, 0.4.1 and 0.5.0 differ in which helpers exist and in
their parameters; helpers are looked up by name and called by signature.
"""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .calling import call, has_field
from .failures import Refused, RunnerError

if TYPE_CHECKING:
    from types import ModuleType

    from .job import Job

LOADER = "vllm_neuron.worker.neuronx_distributed_model_loader"
# Upstream ends a request it does not like with any of these; the server would end the same way.
REFUSALS = (ValueError, AssertionError, TypeError, NotImplementedError, LookupError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class Upstream:
    """The modules and classes of the image that a server uses, imported in the order that works without a device."""

    loader: ModuleType
    engine_args: Any
    usage_context: Any
    load_pretrained_config: Any


@dataclass(frozen=True)
class ServeConfig:
    """What the server would hash and compile."""

    config: Any
    model_class: Any
    architecture: str
    resolved: dict[str, Any]

    def canonical_text(self) -> str:
        """The text that the server hashes."""
        return str(self.config.to_json_string())


def fingerprint(text: str) -> str:
    """The server's hash of the canonical text."""
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()


def import_upstream() -> Upstream:
    """Import vLLM, make NeuronPlatform its platform (which registers itself only on a device), then the plugin."""
    try:
        platforms = importlib.import_module("vllm.platforms")
        platform = importlib.import_module("vllm_neuron.platform")
        platforms._current_platform = platform.NeuronPlatform()  # type: ignore[attr-defined]
        return Upstream(
            engine_args=importlib.import_module("vllm.engine.arg_utils").EngineArgs,
            usage_context=importlib.import_module("vllm.usage.usage_lib").UsageContext,
            loader=importlib.import_module(LOADER),
            load_pretrained_config=importlib.import_module(
                "neuronx_distributed_inference.utils.hf_adapter"
            ).load_pretrained_config,
        )
    except (ImportError, AttributeError) as error:
        raise RunnerError(
            "environment", f"this image's vLLM or Neuron packages are not as expected: {error}"
        ) from error


def refuse_uncovered(job: Job) -> None:
    """Refuse what this runner cannot build as serving does, before anything slow starts."""
    arguments = job.engine_args
    override = (arguments.get("additional_config") or {}).get("override_neuron_config") or {}
    if arguments.get("speculative_config") or override.get("enable_fused_speculation"):
        raise Refused("speculative decoding is not covered yet")
    if arguments.get("enable_lora"):
        raise Refused("LoRA serving is not covered yet")


def build(upstream: Upstream, job: Job) -> ServeConfig:
    """The config of the server, or ``Refused`` with upstream's own message where the server would not start."""
    try:
        vllm_config, config, model_class, architecture = _build(upstream, job)
    except REFUSALS as error:
        message = str(error) or f"{type(error).__name__} without a message"
        raise Refused(message) from error
    try:
        return ServeConfig(config, model_class, architecture, resolved(vllm_config))
    except AttributeError as error:
        raise RunnerError("environment", f"this image's vLLM keeps its settings elsewhere: {error}") from error


def of(owner: Any, name: str) -> Any:
    """An attribute that this code looks for, as opposed to the server.

    Where an image has renamed it, that is the image's doing and no refusal, hence not an ``AttributeError``.
    """
    try:
        return getattr(owner, name)
    except AttributeError as error:
        where = getattr(owner, "__name__", type(owner).__name__)
        raise RunnerError("environment", f"{where} of this image has no {name}, which this runner needs") from error


def _build(upstream: Upstream, job: Job) -> tuple[Any, Any, Any, str]:
    vllm_config = _engine_config(upstream, job)
    loader, model_config = upstream.loader, of(vllm_config, "model_config")
    architecture = of(loader, "_get_model_configs")(of(model_config, "hf_config"))[0]
    _refuse_multimodal(architecture)
    neuron_config = _neuron_config(loader, vllm_config)
    # The server takes these out before it builds the config (used for draft models only).
    neuron_config.pop("draft_overrides", None)
    model_class = of(loader, "_get_neuron_model_cls")(architecture)
    config = of(model_class, "get_config_cls")()(
        of(model_class, "get_neuron_config_cls")()(**neuron_config),
        load_config=upstream.load_pretrained_config(of(model_config, "model")),
    )
    return vllm_config, config, model_class, architecture


def _engine_config(upstream: Upstream, job: Job) -> Any:
    arguments = {"model": job.model_path, **job.engine_args}
    # vLLM refuses when swap space (4 GiB x TP by default) exceeds 0.7 of the host's memory; nothing here swaps.
    if "swap_space" not in arguments and has_field(upstream.engine_args, "swap_space"):
        arguments["swap_space"] = 0
    context = of(upstream.usage_context, job.usage_context)
    return of(upstream.engine_args(**arguments), "create_engine_config")(usage_context=context)


def _neuron_config(loader: ModuleType, vllm_config: Any) -> dict[str, Any]:
    """Defaults, then overrides, then checks, in the server's order."""
    parts = ("model_config", "cache_config", "parallel_config", "scheduler_config")
    known: dict[str, Any] = {
        **{name: of(vllm_config, name) for name in parts},
        "lora_serving_config": None,
        "speculative_config": None,
    }
    override = (of(vllm_config, "additional_config") or {}).get("override_neuron_config")
    override = {} if override is None else override
    defaults = call(of(loader, "_get_default_neuron_config"), **known)
    if hasattr(loader, "_validate_override_neuron_config"):
        override = call(loader._validate_override_neuron_config, override_neuron_config=override, **known)
    neuron_config = call(
        of(loader, "_get_neuron_config_after_override"),
        default_neuron_config=defaults,
        overridden_neuron_config=override,
        **known,
    )
    known.update(override_neuron_config=override)
    if neuron_config.get("is_block_kv_layout") and hasattr(loader, "_handle_pa_num_blocks"):
        neuron_config = call(loader._handle_pa_num_blocks, neuron_config=neuron_config, **known)
    checked: dict[str, Any] = call(of(loader, "_validate_neuron_config"), neuron_config=neuron_config, **known)
    return checked


def _refuse_multimodal(architecture: str) -> None:
    constants = importlib.import_module("vllm_neuron.worker.constants")
    if architecture in getattr(constants, "NEURON_MULTI_MODAL_MODELS", ()):
        raise Refused(f"{architecture} is a multimodal model: not covered yet")


def resolved(vllm_config: Any) -> dict[str, Any]:
    """What vLLM made of the flags, as plain data."""
    model, cache = vllm_config.model_config, vllm_config.cache_config
    scheduler, parallel = vllm_config.scheduler_config, vllm_config.parallel_config
    chunked = getattr(scheduler, "enable_chunked_prefill", getattr(scheduler, "chunked_prefill_enabled", None))
    return {
        "model": model.model,
        "dtype": str(model.dtype),
        "max_model_len": model.max_model_len,
        "max_prompt_length": getattr(model, "max_prompt_length", None),
        "quantization": model.quantization,
        "block_size": cache.block_size,
        "enable_prefix_caching": cache.enable_prefix_caching,
        "num_gpu_blocks_override": cache.num_gpu_blocks_override,
        "max_num_seqs": scheduler.max_num_seqs,
        "max_num_batched_tokens": scheduler.max_num_batched_tokens,
        "enable_chunked_prefill": chunked,
        "tensor_parallel_size": parallel.tensor_parallel_size,
    }
