"""SIMULATED ``neuronx_distributed_inference.models.config``: NeuronConfig and InferenceConfig for dense models.

Serialised as upstream does: everything in ``__dict__``, two-space indent, keys sorted.
"""

import inspect
import json
import logging
import os
from pathlib import Path

import torch
from aot_simulator import DoesNotKnow, require, switches
from aot_simulator.toolchains import current
from neuronx_distributed.utils.utils import hardware
from torch_neuronx.utils import get_platform_target

logger = logging.getLogger("Neuron")


def _all(names: str, value=None) -> dict:
    return dict.fromkeys(names.split(), value)


# Keys that an override may set and that stay what they are: nothing else follows from them.
PLAIN = {
    **_all("""
        allow_input_truncation apply_seq_ids_mask async_mode attn_block_tkg_nki_kernel_cache_update
        attn_block_tkg_nki_kernel_cascaded_attention attn_block_tkg_nki_kernel_disable_gpsimd_sb2sb
        bucket_n_active_tokens disable_argmax_kernel disable_kv_cache_tiling disable_numeric_cc_token
        eagle_rolling_buffer_kernel_enabled enable_bucketing enable_cte_modular_flow enable_eagle_draft_input_norm
        enable_output_completion_notifications enable_spill_reload_dge fused_qkv fused_rmsnorm_skip_gamma
        is_block_kv_layout is_continuous_batching is_full_model_shuffled is_prefix_caching k_cache_transposed
        layer_boundary_markers mlp_kernel_fuse_residual_add on_cpu out_proj_kernel_enabled output_logits
        pre_rope_rmsnorm qk_layernorm qkv_kernel_enabled qkv_kernel_fuse_residual_add qkv_kernel_nbsd_layout
        qkv_nki_kernel_enabled rmsnorm_quantize_kernel_enabled save_sharded_checkpoint sequence_parallel_enabled
        skip_sharding skip_warmup switch_cc vocab_parallel
    """, value=False),
    **_all("""
        attn_kernel_enabled context_encoding_buckets dma_order_config draft_model_modules_to_not_convert
        expert_mlp_nki_kernel_enabled medusa_tree modules_to_not_convert moe_fused_nki_kernel_enabled
        padded_intermediate_size prefix_buckets router_topk_nki_kernel_enabled shared_mlp_nki_kernel_enabled target
        token_generation_buckets windowed_context_encoding_size
    """),
    "attn_block_tkg_nki_kernel_use_online_softmax": True, "cast_type": "config", "cc_pipeline_tiling_factor": 2,
    "ctx_batch_size": 1, "ep_dispatch_cc_option": "AR_AG", "lm_head_pad_alignment_size": 1, "mlp_cp_degree": 1,
    "padding_side": "right", "seq_len_threshold_for_cc_tiling": 16384, "start_rank_id": 0,
    "weight_gather_seq_len_threshold": 32768, "weights_to_skip_layout_optimization": [],
}  # fmt: skip
# Keys that upstream knows and from which more follows than is written down here: their defaults only.
INVOLVED = {
    **_all("""
        attn_block_cte_nki_kernel_enabled attn_block_tkg_nki_kernel_enabled attn_tkg_builtin_kernel_enabled
        attn_tkg_nki_kernel_enabled enable_eagle_speculation enable_fused_speculation flash_decoding_enabled
        is_eagle3 is_eagle_draft is_medusa is_mxfp4_compute kv_cache_quant mlp_kernel_enabled
        mlp_tkg_nki_kernel_enabled qkv_cte_nki_kernel_fuse_rope quantized quantized_mlp_kernel_enabled
        strided_context_parallel_kernel_enabled
    """, value=False),
    **_all("""
        activation_quantization_type attention_dtype chunked_prefill_config kv_quant_config lora_config
        padded_hidden_size quantization_block_axis quantization_block_size quantized_checkpoints_path
        rpl_reduce_dtype tensor_capture_config tensor_replacement_config token_generation_batches token_tree_config
    """),
    "attention_dp_degree": 1, "cp_degree": 1, "ep_degree": 1, "kv_cache_padding_size": 0,
    "medusa_speculation_length": 0, "num_medusa_heads": 0, "pp_degree": 1, "quantization_dtype": "int8",
    "quantization_scale_dtype": "f32", "quantization_type": "per_tensor_symmetric",
    "quantize_clamp_bound": float("inf"), "speculation_length": 0,
}  # fmt: skip
DERIVED_ONLY = {
    "enable_token_tree": False, "is_chunked_prefill": False, "is_hidden_dim_shuffled": False,
    "is_intermediate_dim_shuffled": False, "is_prefill_stage": None, "kv_cache_tiling": False,
    "kv_cache_update_with_kernel": False, "tile_cc": False,
}  # fmt: skip
_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


def to_dict(value):
    if type(value) is dict:
        return {key: to_dict(item) for key, item in value.items()}
    if type(value) is list:
        return [to_dict(item) for item in value]
    if inspect.isclass(value):
        return {"__module__": value.__module__, "__name__": value.__name__}
    if isinstance(value, torch.dtype):
        return value.name
    if hasattr(value, "__dict__"):
        return {key: to_dict(item) for key, item in value.__dict__.items()}
    return value


class OnDeviceSamplingConfig:
    def __init__(self, **kwargs) -> None:
        chip_default = current().top_k_kernel_follows_chip and hardware(get_platform_target()) != hardware.TRN1
        defaults = {
            "do_sample": False, "top_k": 1, "top_p": 1.0, "temperature": 1.0, "dynamic": False,
            "deterministic": False, "global_topk": 256, "on_device_sampling_config": True,
            "top_k_kernel_enabled": chip_default,
        }  # fmt: skip
        if current().sampling_dp_degree:
            defaults["sampling_dp_degree"] = 1
        self.__dict__.update({key: kwargs.get(key, default) for key, default in defaults.items()})


class NeuronConfig:
    attn_cls = "NeuronLlamaAttention"

    def __init__(self, **kwargs) -> None:
        toolchain = current()
        given = {key: value for key, value in kwargs.items() if key not in toolchain.ignored_overrides}
        involved = sorted(key for key in given if key in INVOLVED and given[key] != INVOLVED[key])
        if involved:
            raise DoesNotKnow(f"what follows from override_neuron_config {involved}")
        known = {**PLAIN, **INVOLVED, **DERIVED_ONLY, **toolchain.extra_keys}
        for key in toolchain.missing_keys:
            del known[key]
        self.__dict__.update({key: given.pop(key, value) for key, value in known.items()})
        asked = given.pop("attn_cls", None)
        self.attn_cls = type(self).attn_cls if asked is None or inspect.isclass(type(self).attn_cls) else asked
        if self.cast_type not in ("config", "as-declared"):
            raise ValueError("cast_type must be one of config, as-declared")
        self._degrees(given)
        self._lengths(given)
        self._batches(given)
        self._chip(given)
        self.torch_dtype = _dtype(given.pop("torch_dtype", "bfloat16"))
        self.overrides_torch_dtype = given.pop("overrides_torch_dtype", True)
        self.pa_block_size, self.pa_num_blocks = given.pop("pa_block_size"), given.pop("pa_num_blocks")
        sampling = given.pop("on_device_sampling_config", None)
        self.on_device_sampling_config = OnDeviceSamplingConfig(**sampling) if type(sampling) is dict else sampling
        if given:
            logger.warning("NeuronConfig init: Unexpected keyword arguments: %s", given)

    def _degrees(self, given: dict) -> None:
        self.tp_degree = given.pop("tp_degree", 1)
        if not isinstance(self.tp_degree, int):
            raise TypeError(f"tp_degree is a {type(self.tp_degree).__name__}")
        self.world_size = given.pop("world_size", self.tp_degree * self.pp_degree * self.ep_degree)
        self.local_ranks_size = given.pop("local_ranks_size", self.world_size)

    def _lengths(self, given: dict) -> None:
        self.seq_len = given.pop("seq_len")
        self.n_active_tokens = given.pop("n_active_tokens", self.seq_len)
        self.n_positions = given.pop("n_positions", self.seq_len)
        self.max_length = given.pop("max_length", self.seq_len)
        self.max_context_length = given.pop("max_context_length", self.seq_len)
        require(self.max_context_length <= self.max_length, "max_context_length cannot be more than max_length")
        self.max_new_tokens = given.pop("max_new_tokens", self.seq_len - self.max_context_length) or None
        self.buckets = given.pop("buckets", [self.seq_len])
        self.enable_long_context_mode = self.max_context_length >= 32768
        self.scratchpad_page_size = given.pop("scratchpad_page_size", 1024 if self.enable_long_context_mode else None)
        if self.context_encoding_buckets:
            self.context_encoding_buckets = sorted(self.context_encoding_buckets)
        for bucket in self.context_encoding_buckets or []:
            longest = self.max_context_length
            require(bucket <= longest, f"Context bucket {bucket} should be <= {longest}")

    def _batches(self, given: dict) -> None:
        self.batch_size = given.pop("batch_size", 1)
        for key in ("max_batch_size", "tkg_batch_size", "spec_batch_size", "kv_cache_batch_size"):
            setattr(self, key, given.pop(key, self.batch_size))

    def _chip(self, given: dict) -> None:
        # Both spellings are accepted; the environment wins over either, the chip decides otherwise.
        asked = given.pop("logical_nc_config", given.pop("logical_neuron_cores", None))
        two = hardware(get_platform_target()) in (hardware.TRN2, hardware.TRN3)
        self.logical_nc_config = int(os.environ.get("NEURON_LOGICAL_NC_CONFIG") or asked or (2 if two else 1))
        self.lm_head_pad = given.pop("lm_head_pad", self.logical_nc_config > 1)


def _dtype(value):
    if isinstance(value, torch.dtype):
        return value
    require(value in _DTYPES, f"Unsupported dtype: {value}")
    return _DTYPES[value]


class InferenceConfig:
    """Every attribute is part of the serialised config."""

    def __init__(self, neuron_config, fused_spec_config=None, load_config=None, metadata=None, **kwargs) -> None:
        self.neuron_config = neuron_config
        self.fused_spec_config = fused_spec_config
        self.num_cores_per_group = 1
        if load_config is not None:
            load_config(self)
        self.metadata = metadata
        self.__dict__.update(kwargs)
        self.add_derived_config()

    def add_derived_config(self) -> None:
        """What a model's own config class adds."""

    @classmethod
    def get_neuron_config_cls(cls):
        return NeuronConfig

    def to_json_string(self) -> str:
        return json.dumps(switches.perturb(to_dict(self)), indent=2, sort_keys=True)

    def save(self, model_path) -> None:
        Path(model_path).mkdir(parents=True, exist_ok=True)
        (Path(model_path) / "neuron_config.json").write_text(self.to_json_string() + "\n", encoding="utf-8")
