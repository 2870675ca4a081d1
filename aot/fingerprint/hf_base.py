"""Stage 3a, the base class: transformers' ``PretrainedConfig``, from keyword arguments to serialisable attributes.

Mirrors ``PretrainedConfig.__init__``, ``_remove_keys_not_serialized`` and ``dict_dtype_to_str`` (transformers 4.56 /
4.57, configuration_utils.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint.errors import NotCovered, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_LABELS = 100_000
_PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")
NEVER_SERIALISED = ("_auto_class", "_commit_hash", "_attn_implementation_internal", "base_model_tp_plan",
                    "base_model_pp_plan")  # fmt: skip


def construct(
    attributes: dict[str, Any],
    arguments: dict[str, Any],
    transformers: Mapping[str, Any],
    attribute_map: Mapping[str, str],
) -> Any:
    """``PretrainedConfig.__init__``: sets the common attributes, then every key left over. Returns the dtype."""
    defaults: Mapping[str, Any] = transformers["common_defaults"]
    given = {name: arguments.pop(name, default) for name, default in defaults.items()}
    _check_arguments(given)
    dtype, torch_dtype = given.pop("dtype"), arguments.pop("torch_dtype", None)
    dtype = dtype if dtype is not None else torch_dtype
    if isinstance(dtype, str):
        dtype = _torch_dtype(dtype, transformers)
    num_labels = given.pop("num_labels")
    attributes.update(given)
    if given["pruned_heads"] is None:
        attributes["pruned_heads"] = {}
    if given["id2label"] is None:
        labels = range(num_labels if num_labels is not None else 2)
        if len(labels) > _MOST_LABELS:
            raise NotCovered(f"num_labels {num_labels} is more than aot writes labels for")
        attributes["id2label"] = {number: f"LABEL_{number}" for number in labels}
        attributes["label2id"] = {f"LABEL_{number}": number for number in labels}
    else:
        attributes["id2label"] = {int(key): value for key, value in given["id2label"].items()}
    for name, default in transformers["generation_defaults"].items():
        attributes[name] = arguments.pop(name, default)
    for name in ("name_or_path", "_commit_hash", "attn_implementation"):
        arguments.pop(name, None)
    attributes["transformers_version"] = arguments.pop("transformers_version", None)
    arguments.pop("_attn_implementation", None)  # a property; what it sets is not serialised
    if "_output_attentions" in arguments:
        attributes["output_attentions"] = arguments.pop("_output_attentions")
    attributes.update((attribute_map.get(name, name), value) for name, value in arguments.items())
    attributes.setdefault("tf_legacy_loss", False)
    attributes.setdefault("use_bfloat16", False)
    return dtype


def _check_arguments(given: Mapping[str, Any]) -> None:
    for name in ("label2id", "id2label"):
        if given[name] is not None and not isinstance(given[name], dict):
            raise Refused(f"{name} in config.json is not an object", f"correct {name} in config.json")
    if given["problem_type"] is not None and given["problem_type"] not in _PROBLEM_TYPES:
        raise Refused(
            f"problem_type {given['problem_type']!r} is unknown to transformers",
            f"use one of {', '.join(_PROBLEM_TYPES)}",
        )


def _torch_dtype(name: str, transformers: Mapping[str, Any]) -> str:
    """``getattr(torch, name)``: aliases such as "half" become the canonical name."""
    canonical = transformers["torch_dtypes"].get(name)
    if canonical is None:
        raise Refused(f"torch has no dtype {name!r} (from config.json)", "correct dtype / torch_dtype in config.json")
    return str(canonical)


def remove_unserialised(value: dict[str, Any], quantized: bool) -> dict[str, Any]:
    """``_remove_keys_not_serialized`` on a nested object; objects inside lists are left alone, as upstream does."""
    kept = {
        key: remove_unserialised(item, quantized) if isinstance(item, dict) else item
        for key, item in value.items()
        if key not in NEVER_SERIALISED and not (quantized and key == "_pre_quantization_dtype")
    }
    if "_output_attentions" in kept:
        kept["output_attentions"] = kept.pop("_output_attentions")
    return kept


def stringify_dtypes(value: dict[str, Any]) -> dict[str, Any]:
    """``dict_dtype_to_str``: a nested key named dtype is turned into text."""
    output = {key: stringify_dtypes(item) if isinstance(item, dict) and key != "dtype" else item
              for key, item in value.items()}  # fmt: skip
    if output.get("dtype") is not None:
        output["dtype"] = dtype_text(output["dtype"])
        if isinstance(output["dtype"], dict):
            output["dtype"] = stringify_dtypes(output["dtype"])
    return output


def dtype_text(dtype: Any) -> Any:
    """A dtype as text where upstream makes it text; what has no dot in it makes upstream fail."""
    if isinstance(dtype, dict):
        return {key: str(item).split(".")[-1] for key, item in dtype.items()}
    if isinstance(dtype, str | int):
        return dtype
    return str(dtype).split(".")[1]
