"""SIMULATED ``vllm_neuron.worker.neuronx_distributed_model_loader``: names and signatures of plugin 0.4.1 and 0.5.0."""

import logging
from math import ceil

from aot_simulator import DoesNotKnow, require
from aot_simulator.toolchains import current
from neuronx_distributed_inference.models.config import OnDeviceSamplingConfig
from neuronx_distributed_inference.utils.constants import MODEL_TYPES
from neuronx_distributed_inference.utils.hf_adapter import load_pretrained_config  # noqa: F401 (upstream has it here)

# Supported upstream and not here.
ELSEWHERE = ("dbrx", "gemma3", "gptoss", "llama4", "mixtral", "mllama", "pixtral", "qwen3moe")

logger = logging.getLogger(__name__)


def _get_model_configs(config):
    architectures = getattr(config, "architectures", None)
    if not architectures:
        raise ValueError("No architectures specified in the pretrained config.")
    heads, width = getattr(config, "num_attention_heads", 32), getattr(config, "hidden_size", 4096)
    kv_heads = getattr(config, "num_key_value_heads", heads)
    head_dim = getattr(config, "head_dim", None) or width // heads
    if not kv_heads:
        named = "num_key_value_heads" if current().names_missing_field else "fields"
        raise ValueError(f"Missing required {named} in the pretrained config.")
    return architectures[0], int(kv_heads), int(head_dim)


def _get_neuron_model_cls(architecture: str):
    name = architecture.removeprefix("Neuron")
    model, found, _ = name.partition("ForCausalLM")
    if model.lower() in ELSEWHERE:
        raise DoesNotKnow(f"architecture {name}")
    if not found or model.lower() not in MODEL_TYPES:
        raise ValueError(f"Model {name} is not supported on Neuron for now. Supported models: {list(MODEL_TYPES)}")
    return MODEL_TYPES[model.lower()]["causal-lm"]


def _get_default_neuron_config(
    model_config, cache_config, parallel_config, scheduler_config, lora_serving_config, speculative_config
):
    chunked, length = scheduler_config.enable_chunked_prefill, model_config.max_model_len
    batch = 1 if chunked else scheduler_config.max_num_seqs
    blocks = (length // cache_config.block_size) * scheduler_config.max_num_seqs
    if cache_config.num_gpu_blocks_override is not None:
        blocks = cache_config.num_gpu_blocks_override
    return {
        "tp_degree": parallel_config.tensor_parallel_size,
        "ctx_batch_size": 1,
        "batch_size": batch,
        "max_context_length": scheduler_config.max_num_batched_tokens if chunked else length,
        "seq_len": length,
        "enable_bucketing": True,
        "is_continuous_batching": batch > 1,
        "quantized": False,
        "torch_dtype": model_config.dtype.name,
        "padding_side": "right",
        "on_device_sampling_config": OnDeviceSamplingConfig(dynamic=True, deterministic=False),
        "lora_config": lora_serving_config,
        "pa_num_blocks": blocks,
        "pa_block_size": cache_config.block_size,
        "is_block_kv_layout": chunked or cache_config.enable_prefix_caching,
        "is_prefix_caching": cache_config.enable_prefix_caching,
    }


def _validate_override_neuron_config(override_neuron_config: dict, model_config):
    longest = model_config.max_prompt_length
    if longest is not None:
        asked = override_neuron_config.pop("max_context_length", longest)
        if asked != longest:
            raise ValueError(
                f"Conflicting max_prompt_length settings: override_neuron_config specifies max_context_length {asked} "
                f"but the max_prompt_length is {longest}."
            )
        override_neuron_config["max_context_length"] = longest
    return override_neuron_config


def _get_neuron_config_after_override(default_neuron_config, overridden_neuron_config):
    default_neuron_config.update(overridden_neuron_config)
    default_neuron_config.pop("text_neuron_config", None)
    default_neuron_config.pop("vision_neuron_config", None)
    return default_neuron_config


def _handle_pa_num_blocks(cache_config, neuron_config: dict, override_neuron_config: dict) -> dict:
    if "pa_num_blocks" not in override_neuron_config:
        return neuron_config
    asked, blocks = neuron_config["pa_num_blocks"], cache_config.num_gpu_blocks_override
    if blocks is None:
        raise ValueError(
            f"When setting pa_num_blocks ({asked}) in override_neuron_config, you must also set "
            "--num-gpu-blocks-override to the same value."
        )
    if asked != blocks - 1:
        raise ValueError(f"pa_num_blocks ({asked}) must match your --num-gpu-blocks-override intent({blocks - 1}).")
    neuron_config["pa_num_blocks"] = blocks
    return neuron_config


def _validate_neuron_config(cache_config, scheduler_config, model_config, neuron_config: dict):
    if cache_config.enable_prefix_caching:
        require(neuron_config.get("is_prefix_caching"))
        require(neuron_config.get("is_block_kv_layout"))
    if scheduler_config.enable_chunked_prefill:
        require(neuron_config.get("chunked_prefill_config"))
    if neuron_config.get("is_block_kv_layout"):
        needed = ceil(model_config.max_model_len / cache_config.block_size) * scheduler_config.max_num_seqs
        override = cache_config.num_gpu_blocks_override
        available = neuron_config["pa_num_blocks"] if override is None else override - 1
        require(
            available >= needed,
            f"At least {needed} blocks are required for max_model_len {model_config.max_model_len}, but only "
            f"{available} blocks are available (user-intended blocks, excluding the +1 for null block)",
        )
    return neuron_config
