"""Stage 3a: what transformers makes of config.json.

Mirrors transformers 4.56 / 4.57: ``AutoConfig.from_pretrained`` (models/auto/configuration_auto.py),
``PretrainedConfig.__init__``, ``from_dict`` and ``to_dict`` (configuration_utils.py). The class-specific constructors
are in ``hf_classes``; their defaults are data in the profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aot.fingerprint import hf_base, hf_classes
from aot.fingerprint.errors import NotCovered, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping


_LONGEST_PATH = 4096  # PATH_MAX of Linux; hundreds of names are looked for in it


@dataclass(slots=True)
class HfConfig:
    """A constructed configuration object: its attributes, and what only its class knows."""

    model_type: str
    attributes: dict[str, Any]
    attribute_map: dict[str, str]
    sub_configurations: tuple[str, ...]
    dtype: Any
    """Name of a torch dtype, None, or whatever else config.json has there."""


def load(document: Mapping[str, Any], model_dir: str, transformers: Mapping[str, Any]) -> HfConfig:
    """``AutoConfig.from_pretrained(model_dir)`` for a config.json with this content."""
    model_type = _model_type(document, model_dir, transformers)
    arguments = {**document, "_commit_hash": None, "attn_implementation": None}
    reserved = arguments.keys() & transformers["reserved_names"]
    if reserved:
        raise NotCovered(f"config.json has the key {min(reserved)!r}, which is a method or property in transformers")
    kind = transformers["classes"].get(model_type)
    if kind is None:
        raise NotCovered(f"the model type {model_type!r} is not covered by aot's rules")
    own, base_arguments = hf_classes.construct(kind, arguments, transformers)
    attributes: dict[str, Any] = {} if kind["base_first"] else own
    dtype = hf_base.construct(attributes, base_arguments, transformers, kind["attribute_map"])
    if kind["base_first"]:  # the class sets its attributes after the base class has set every key that was left
        attributes.update(own)
    attributes["pruned_heads"] = {int(key): value for key, value in attributes["pruned_heads"].items()}
    attributes["_name_or_path"] = model_dir
    attributes["model_type"] = kind["model_type"]
    return HfConfig(model_type, attributes, dict(kind["attribute_map"]), tuple(kind["sub_configurations"]), dtype)


def _model_type(document: Mapping[str, Any], model_dir: str, transformers: Mapping[str, Any]) -> str:
    """The key of CONFIG_MAPPING: ``model_type``, or (without one) the longest known name within the path."""
    known: list[str] = transformers["model_types"]
    if "auto_map" in document and "AutoConfig" in document["auto_map"]:
        _ = "--" in document["auto_map"]["AutoConfig"]  # a known model type is used without running the remote code
    if "model_type" not in document:
        if len(model_dir) > _LONGEST_PATH:
            raise NotCovered("config.json has no model_type, and the model string is too long to look for one in it")
        for name in sorted(known, key=len, reverse=True):
            if name in model_dir:
                return name
        raise Refused("config.json has no model_type", "add model_type to config.json")
    model_type = document["model_type"]
    if model_type == "mistral" and "layer_types" in document:
        model_type = transformers["mistral_with_layer_types"]
    if model_type not in transformers["classes"] and model_type not in known:
        raise Refused(
            f"transformers does not know the model type {model_type!r}",
            "use a model type that this release of transformers has",
        )
    return str(model_type)


def to_dict(config: HfConfig, transformers: Mapping[str, Any]) -> dict[str, Any]:
    """``PretrainedConfig.to_dict`` followed by what NxDI's ``load_pretrained_config`` (utils/hf_adapter.py) does to it.

    That hook restores the ``transformers_version`` of config.json and drops the dtype unless it is None.
    """
    output = dict(config.attributes)
    quantized = "quantization_config" in output
    for name in (*hf_base.NEVER_SERIALISED, *(("_pre_quantization_dtype",) if quantized else ())):
        output.pop(name, None)
    for name, value in output.items():
        if isinstance(value, dict) and value and name != "transformers_version":
            output[name] = hf_base.stringify_dtypes(hf_base.remove_unserialised(value, quantized))
    if quantized and not isinstance(output["quantization_config"], dict):
        raise Refused("quantization_config in config.json is not an object", "remove or correct quantization_config")
    if config.dtype is None:
        output["dtype"] = None
    elif not isinstance(config.dtype, str):
        hf_base.dtype_text(config.dtype)
    version = output["transformers_version"]
    if version is None:
        output["transformers_version"] = transformers["version"]
    else:
        for name in config.sub_configurations:
            output[name]["transformers_version"] = version
    return output
