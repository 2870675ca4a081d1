"""The shape of a toolchain's profile: the tables that the rules read, and the names of rules that it refers to.

A profile is plain data (``manifests/toolchains/<name>/profile.json``). It is checked once, when it is loaded, because
``compute`` reads a failed lookup as a refusal by upstream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint import engine_fields, hf_classes, inference_config

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLES: dict[str, tuple[str, ...]] = {
    "engine": (
        "architecture_values_typed", "config_registry", "default_max_num_batched_tokens", "default_max_num_seqs",
        "fields", "float16_unsupported", "max_model_len_minimum", "parallel_sizes_converted_first",
        "quantization_method_normalised", "quantization_methods", "rope_original_length_first",
    ),
    "plugin": ("architectures", "quantization_defaults"),
    "neuron_config": ("activation_quantization_types", "constants", "default_from", "defaults", "dtypes",
                      "quantized_dtypes"),
    "moe_neuron_config": ("defaults",),
    "nested": ("blockwise_matmul_config", "chunked_prefill_config", "hybrid_sharding_config", "lora_serving_config",
               "on_device_sampling_config", "tensor_capture_config"),
    "enums": ("BlockShardStrategy", "LogicalNCConfig"),
    "behaviour": ("deprecated_kernel_overrides_imply", "full_model_shuffle_for_eagle_draft", "fused_qkv_popped_twice",
                  "hardware_enum_custom_member", "router_dtype_converted_in_constructor"),
    "transformers": ("classes", "common_defaults", "generation_defaults", "layer_types_length_checked",
                     "mistral_with_layer_types", "model_types", "reserved_names", "sub_configurations",
                     "torch_dtypes", "version"),
}  # fmt: skip
_MODEL = ("config_class", "derived", "finished", "methods", "mixture_of_experts", "neuron_config_class",
          "neuron_config_extra", "neuron_config_sets", "required", "set_after_loading", "set_before_loading",
          "validated")  # fmt: skip
_CLASS = ("attribute_map", "base_first", "derived_from_extra_keys", "forwarded", "model_type", "parameters", "steps",
          "sub_configurations")  # fmt: skip


def check(profile: Mapping[str, Any]) -> None:
    """Raise ValueError, naming what is wrong, unless every table and every rule that the profile needs is there."""
    missing = [f"{table}.{key}" for table, keys in _TABLES.items() for key in keys if key not in profile.get(table, {})]
    for name, model in profile.get("model_classes", {}).items():
        missing += [f"model_classes.{name}.{key}" for key in _MODEL if key not in model]
        rules = [*model.get("derived", ()), *model.get("validated", ()), *model.get("finished", ())]
        missing += [f"the rule {rule}" for rule in rules if rule not in inference_config.RULES]
    for name, kind in profile.get("transformers", {}).get("classes", {}).items():
        missing += [f"transformers.classes.{name}.{key}" for key in _CLASS if key not in kind]
        missing += [f"the step {step}" for step in kind.get("steps", ()) if step not in hf_classes.STEPS]
    for name, field in profile.get("engine", {}).get("fields", {}).items():
        if field.get("type") not in engine_fields.TYPES:
            missing.append(f"the type of engine.fields.{name}")
    if missing:
        raise ValueError(f"the profile lacks {', '.join(missing)}")
