"""Stage 2b, nested objects of NeuronConfig, from the dicts given in ``override_neuron_config``.

Mirrors ``OnDeviceSamplingConfig``, ``TensorCaptureConfig`` (neuronx-distributed-inference, models/config.py),
``LoraServingConfig`` (modules/lora_serving/config.py) and ``KVQuantizationConfig`` (neuronx-distributed,
quantization/quantization_config.py). Keys and defaults are the tables ``nested`` of the profile.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from aot.fingerprint.errors import NotCovered, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.fingerprint.platform import Platform

BY_HARDWARE = "hardware is not TRN1"


def fields(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The known keys, given or by default; unknown ones are dropped without a word, as upstream does."""
    return {name: given[name] if name in given else copy.copy(default) for name, default in defaults.items()}


def sampling(given: Mapping[str, Any], tables: Mapping[str, Any], platform: Platform) -> dict[str, Any]:
    """``OnDeviceSamplingConfig``; from 0.9 on the top-k kernel's default depends on the chip."""
    config = fields(given, tables["on_device_sampling_config"])
    if config["top_k_kernel_enabled"] == BY_HARDWARE and "top_k_kernel_enabled" not in given:
        config["top_k_kernel_enabled"] = platform.hardware != "TRN1"
    return config


def tensor_capture(given: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """``TensorCaptureConfig``: automatically captured MoE tensors count as one more."""
    config = fields(given, tables["tensor_capture_config"])
    if config["auto_capture_moe_tensors"]:
        most = config["max_intermediate_tensors"]
        config["max_intermediate_tensors"] = most + 1 if most else 1
    return config


def refuse_tensor_replacement(given: Any) -> None:
    """``TensorReplacementConfig`` looks for directories in the pod; anything but a dict is ignored upstream."""
    if not isinstance(given, dict):
        return
    missing = [name for name in ("ref_dir", "neuron_dir", "tf_map") if name not in given]
    if missing:
        raise Refused(f"tensor_replacement_config lacks {', '.join(missing)}", "complete or drop it")
    raise NotCovered("tensor_replacement_config depends on directories in the pod")


def kv_quantization(given: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """``KVQuantizationConfig``; the methods are compared with an enum member, which a string never equals."""
    config = fields(given, tables["kv_quant_config"])
    methods = ("k_quant_method", "v_quant_method")
    if config["direct_cast"] and any(name in given for name in methods):
        raise Refused("kv_quant_config with direct_cast does not take quantization methods", "set direct_cast to false")
    return config


def lora(given: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """``LoraServingConfig`` without adapters: those are read from files. Unknown keys are refused upstream."""
    defaults = tables["lora_serving_config"]
    unknown = given.keys() - defaults.keys()
    if unknown:
        raise Refused(f"lora_config has the unknown keys {', '.join(sorted(unknown))}", "remove them")
    config = fields(given, defaults)
    files = ["lora_ckpt_json", "lora_ckpt_paths"] + ["lora_ckpt_paths_cpu"] * bool(config["dynamic_multi_lora"])
    if any(config[name] not in (None, [], {}) for name in files):
        raise NotCovered("lora_config names adapter files, whose contents are hashed")
    config["lora_ckpt_paths"], config["lora_ckpt_paths_cpu"] = {}, {}
    base_only = config.get("enable_base_model_only", False)
    if base_only:
        config["max_loras"] += 1
        config["max_cpu_loras"] += 1
    if config["max_loras"] < base_only:
        config["max_loras"] = 0 + base_only
    if config["dynamic_multi_lora"] and base_only > config["max_cpu_loras"]:
        raise Refused("lora_config has no room for adapters: max_cpu_loras is negative", "raise max_cpu_loras")
    if config["target_modules"] is None:
        config["target_modules"] = []
    else:
        set(config["target_modules"])  # upstream takes the set, which must be possible
    _ = config["max_lora_rank"] < config["max_lora_rank"]
    return config
