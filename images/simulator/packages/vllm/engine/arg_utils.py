"""SIMULATED ``vllm.engine.arg_utils``."""

import os
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from aot_simulator import DoesNotKnow, files, switches

from vllm.config import ValidationError, VllmConfig
from vllm.platforms import get_current_platform
from vllm.usage.usage_lib import UsageContext

GIB = 1 << 30
_DTYPES = {
    "bfloat16": torch.bfloat16, "float16": torch.float16, "half": torch.float16, "float32": torch.float32,
    "float": torch.float32,
}  # fmt: skip
_TEXT_PARTS = {"text_config", "text_encoder", "decoder", "generator", "llm_config"}


@dataclass
class EngineArgs:
    """The fields that a server's flags commonly set; those without effect here are accepted and forgotten."""

    model: str = "Qwen/Qwen3-0.6B"
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    data_parallel_size: int = 1
    max_model_len: Any = None
    max_num_seqs: Any = None
    max_num_batched_tokens: Any = None
    dtype: str = "auto"
    block_size: Any = None
    enable_prefix_caching: Any = None
    enable_chunked_prefill: Any = None
    num_gpu_blocks_override: Any = None
    additional_config: dict = field(default_factory=dict)
    swap_space: float = 4
    quantization: Any = None
    hf_overrides: Any = None
    speculative_config: Any = None
    enable_lora: bool = False
    # without effect on the compiled model
    async_scheduling: Any = None
    calculate_kv_scales: bool = False
    compilation_config: Any = None
    disable_log_stats: bool = False
    disable_sliding_window: bool = False
    download_dir: Any = None
    enforce_eager: bool = False
    generation_config: str = "auto"
    gpu_memory_utilization: float = 0.9
    kv_cache_dtype: str = "auto"
    load_format: str = "auto"
    max_logprobs: int = 20
    override_generation_config: dict = field(default_factory=dict)
    revision: Any = None
    scheduling_policy: str = "fcfs"
    seed: Any = 0
    served_model_name: Any = None
    skip_tokenizer_init: bool = False
    tokenizer: Any = None
    tokenizer_mode: str = "auto"
    tokenizer_revision: Any = None
    trust_remote_code: bool = False

    def create_engine_config(self, usage_context: Any = None, headless: bool = False) -> VllmConfig:
        switches.at_engine_start()
        platform = get_current_platform()
        platform.pre_register_and_update()
        if not platform.device_type:
            raise RuntimeError("Failed to infer device type")
        unknown = [n for n in ("quantization", "hf_overrides", "speculative_config", "enable_lora") if getattr(self, n)]
        if unknown or self.pipeline_parallel_size != 1:
            raise DoesNotKnow(f"what {unknown or 'pipeline parallelism'} does to the config")
        hf_config = files.read_config(self.model)
        nested = sorted(_TEXT_PARTS.intersection(hf_config))
        if nested:
            raise DoesNotKnow(f"a config.json with {nested[0]}, a text model inside another")
        self._check_length()
        config = VllmConfig(
            model_config=SimpleNamespace(
                model=self.model, hf_config=SimpleNamespace(**hf_config), dtype=self._dtype(hf_config),
                max_model_len=self.max_model_len, quantization=self.quantization, max_prompt_length=None,
            ),
            cache_config=self._cache(),
            parallel_config=SimpleNamespace(tensor_parallel_size=self.tensor_parallel_size),
            scheduler_config=self._scheduler(usage_context),
            additional_config=self.additional_config,
        )  # fmt: skip
        platform.check_and_update_config(config)
        return config

    def _check_length(self) -> None:
        if self.max_model_len is None:
            raise ValueError(
                "max_model_len must be a positive integer, got NoneType: None. Example: max_model_len=2048"
            )
        if self.max_model_len < 1:
            raise ValidationError("ModelConfig", "max_model_len: Input should be greater than 0")

    def _dtype(self, hf_config: dict):
        if self.dtype != "auto":
            if self.dtype not in _DTYPES:
                raise ValidationError("ModelConfig", f"Unknown dtype: {self.dtype}")
            return _DTYPES[self.dtype]
        own = hf_config.get("dtype") or hf_config.get("torch_dtype")
        return torch.float16 if own == "float16" else torch.bfloat16  # float32 is served as bfloat16

    def _cache(self) -> SimpleNamespace:
        swap = self.swap_space * GIB * self.tensor_parallel_size
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if swap > 0.7 * memory:
            raise ValueError(
                f"Too large swap space. {swap / GIB:.2f} GiB out of the {memory / GIB:.2f} GiB total CPU memory is "
                "allocated for the swap space."
            )
        return SimpleNamespace(
            block_size=self.block_size, num_gpu_blocks_override=self.num_gpu_blocks_override,
            enable_prefix_caching=True if self.enable_prefix_caching is None else self.enable_prefix_caching,
        )  # fmt: skip

    def _scheduler(self, usage_context) -> SimpleNamespace:
        seqs = 256 if self.max_num_seqs is None else self.max_num_seqs
        chunked = True if self.enable_chunked_prefill is None else self.enable_chunked_prefill
        tokens = self.max_num_batched_tokens
        if tokens is None:
            tokens = 8192 if usage_context == UsageContext.LLM_CLASS else 2048
            tokens = tokens if chunked else max(tokens, self.max_model_len)
            if self.max_num_seqs is None:
                seqs = min(seqs, tokens)
        if seqs < 1 or tokens < 1:
            raise ValidationError("SchedulerConfig", "max_num_seqs: Input should be greater than or equal to 1")
        if tokens < self.max_model_len and not chunked:
            raise ValueError(f"max_num_batched_tokens ({tokens}) is smaller than max_model_len ({self.max_model_len}).")
        if tokens < seqs:
            problem = f"max_num_batched_tokens ({tokens}) must be greater than or equal to max_num_seqs ({seqs})."
            raise ValidationError("SchedulerConfig", f"Value error, {problem}")
        return SimpleNamespace(max_num_seqs=seqs, max_num_batched_tokens=tokens, enable_chunked_prefill=chunked)
