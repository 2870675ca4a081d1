"""SIMULATED ``vllm_neuron.platform``: what the platform class rewrites in a VllmConfig."""

import os

from vllm.config import ValidationError
from vllm.platforms import Platform


class NeuronPlatform(Platform):
    device_name = device_type = "cpu"

    @classmethod
    def check_and_update_config(cls, vllm_config) -> None:
        cache, scheduler = vllm_config.cache_config, vllm_config.scheduler_config
        vllm_config.model_config.max_prompt_length = vllm_config.additional_config.get("max_prompt_length")
        if cache.num_gpu_blocks_override is not None:
            cache.num_gpu_blocks_override += 1  # room for the null block
        if int(os.environ.get("DISABLE_NEURON_CUSTOM_SCHEDULER", "0")):
            _require(cache.block_size is not None, "When vLLM V1 native scheduler is enabled, block_size must be set.")
            return
        scheduler.enable_chunked_prefill = False
        scheduler.max_num_batched_tokens = 131072
        if not cache.enable_prefix_caching:
            cache.block_size = vllm_config.model_config.max_model_len
        _require(cache.block_size is not None, "When prefix caching is enabled, block_size must be set.")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValidationError("VllmConfig", f"Assertion failed, {message}")
