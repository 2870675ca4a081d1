"""Stage 2b, features: buckets, quantization, speculation, and the attributes that are objects of their own.

Mirrors the sections of ``NeuronConfig.__init__`` and ``_validate_batch_bucketing_compatibility``
(neuronx-distributed-inference, models/config.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint import neuron_nested
from aot.fingerprint.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.fingerprint.platform import Platform


def buckets(config: dict[str, Any]) -> None:
    """Bucket lists are sorted, and the greatest bucket must fit."""
    for name, limit in (("context_encoding_buckets", "max_context_length"), ("token_generation_buckets", "max_length")):
        if config[name] is not None:
            config[name] = _sorted(name, config[name])
            if not config[name][-1] <= config[limit]:
                raise Refused(f"{name}: {config[name][-1]} is greater than {limit} {config[limit]}", "drop that bucket")
    if config.get("token_generation_batches") is not None:
        batches = config["token_generation_batches"]
        batches = _sorted("token_generation_batches", batches if isinstance(batches, list) else [batches])
        config["token_generation_batches"] = batches
        if not batches[-1] <= config["tkg_batch_size"]:
            raise Refused(
                f"token_generation_batches: {batches[-1]} is greater than the batch size {config['tkg_batch_size']}",
                "drop that batch size",
            )


def _sorted(name: str, values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise Refused(f"{name} is not a list", f"give {name} as a list of integers")
    return sorted(values)


def batch_bucketing(config: Mapping[str, Any]) -> None:
    """``_validate_batch_bucketing_compatibility``."""
    if config.get("token_generation_batches") is None:
        return
    flags = ("enable_fused_speculation", "enable_eagle_speculation", "is_medusa", "enable_token_tree",
             "is_chunked_prefill", "is_prefix_caching", "is_block_kv_layout")  # fmt: skip
    found = [name for name in flags if config[name]]
    if config["speculation_length"] > 0:
        found.append("speculation_length")
    if found:
        raise Refused(f"token_generation_batches does not go with {', '.join(found)}", "drop one of them")


def quantization(config: dict[str, Any], profile: Mapping[str, Any]) -> None:
    """Quantized checkpoints and microscaling formats."""
    if config["quantized"]:
        if config["quantized_checkpoints_path"] is None:
            raise Refused("quantized is set without quantized_checkpoints_path", "give quantized_checkpoints_path")
        forced = _is_mlp_quantized(config)  # then the type becomes f8e4m3 before it is looked at
        known = profile["neuron_config"]["quantized_dtypes"]
        if not forced and config["quantization_dtype"].upper() not in known:
            raise Refused(
                f"quantization_dtype {config['quantization_dtype']!r} is unknown to NxD", f"use one of {known}"
            )
    config["is_hidden_dim_shuffled"] = config["is_intermediate_dim_shuffled"] = config["is_mxfp4_compute"]
    allowed = config["is_mxfp4_compute"] or (
        profile["behaviour"]["full_model_shuffle_for_eagle_draft"] and config["is_eagle_draft"]
    )
    if config["is_full_model_shuffled"] and not allowed:
        raise Refused("is_full_model_shuffled needs is_mxfp4_compute", "set is_mxfp4_compute too")


def quantized_kernels(config: dict[str, Any]) -> None:
    """What quantized MLP kernels and activation quantization ask for and force."""
    mlp_quantized = _is_mlp_quantized(config)
    qkv_kernel = config["qkv_kernel_enabled"] or config["qkv_nki_kernel_enabled"]
    if (config["quantized"] or mlp_quantized) and qkv_kernel and not config["modules_to_not_convert"]:
        raise Refused("a qkv kernel on a quantized model needs modules_to_not_convert", "give modules_to_not_convert")
    if mlp_quantized:
        config["quantization_type"] = "per_channel_symmetric"
        config["quantization_dtype"] = "f8e4m3"


def _is_mlp_quantized(config: Mapping[str, Any]) -> bool:
    return bool(config["quantized_mlp_kernel_enabled"] or config["activation_quantization_type"])


def speculation(config: dict[str, Any]) -> None:
    """Eagle implies fused speculation. KV cache tiling is on with fused speculation only, which is refused later."""
    _ = config["speculation_length"] > 0
    if config["enable_eagle_speculation"]:
        config["enable_fused_speculation"] = True
    config["enable_token_tree"] = config["token_tree_config"] is not None
    config["kv_cache_tiling"] = False
    if config["is_medusa"] and config["async_mode"]:
        raise Refused("Medusa does not go with async_mode", "drop one of them")


def nested(config: dict[str, Any], profile: Mapping[str, Any], platform: Platform) -> None:
    """Attributes that upstream turns into objects when they are given as dicts; anything else is kept as it is."""
    tables = profile["nested"]
    sampling = config["on_device_sampling_config"]
    if type(sampling) is dict:
        config["on_device_sampling_config"] = neuron_nested.sampling(sampling, tables, platform)
    _chunked_prefill(config, tables)
    if type(config.get("kv_quant_config")) is dict:
        config["kv_quant_config"] = neuron_nested.kv_quantization(config["kv_quant_config"], tables)
    neuron_nested.refuse_tensor_replacement(config["tensor_replacement_config"])
    config["tensor_replacement_config"] = None
    capture = config["tensor_capture_config"]
    config["tensor_capture_config"] = neuron_nested.tensor_capture(capture, tables) if type(capture) is dict else None
    if config["tensor_capture_config"] is not None and not config["output_logits"]:
        config["output_logits"] = True
        if config["on_device_sampling_config"] is None:
            raise Refused("tensor capture needs on-device sampling", "give on_device_sampling_config")
    if type(config["lora_config"]) is dict:
        config["lora_config"] = neuron_nested.lora(config["lora_config"], tables)


def _chunked_prefill(config: dict[str, Any], tables: Mapping[str, Any]) -> None:
    chunked = config["chunked_prefill_config"]
    config["is_chunked_prefill"] = chunked is not None
    if chunked is None:
        return
    chunked = config["chunked_prefill_config"] = neuron_nested.fields(chunked, tables["chunked_prefill_config"])
    if not config["is_block_kv_layout"]:
        raise Refused("chunked_prefill_config needs block KV layout", "set is_block_kv_layout, or drop it")
    if not chunked["tkg_model_enabled"] and config["batch_size"] != 1:
        raise Refused("chunked prefill without a token-generation model needs batch size 1", "set tkg_model_enabled")
