"""Rotary position parameters: what transformers checks, and what vLLM does to its own copy.

Mirrors ``rope_config_validation`` (transformers 4.56 / 4.57, modeling_rope_utils.py), where only missing keys and
values that cannot be compared raise (the rest are warnings), and ``patch_rope_parameters`` (vLLM 0.13 and 0.16,
transformers_utils/config.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUIRED: dict[Any, tuple[str, ...]] = {
    "default": ("rope_type",),
    "linear": ("rope_type", "factor"),
    "dynamic": ("rope_type", "factor"),
    "yarn": ("rope_type", "factor"),
    "longrope": ("rope_type", "short_factor", "long_factor"),
    "llama3": ("rope_type", "factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor"),
}
_NESTED_BY_LAYER = {"full_attention", "sliding_attention", "chunked_attention", "linear_attention"}


def validate(config: Mapping[str, Any]) -> None:
    """``rope_config_validation`` on a configuration's ``rope_scaling``. An unknown type only warns upstream."""
    scaling = config["rope_scaling"]
    if scaling is None:
        return
    rope_type = scaling.get("rope_type", scaling.get("type", "default"))
    missing = [key for key in _REQUIRED.get(rope_type, ()) if key not in scaling]
    if missing:
        raise Refused(
            f"rope_scaling of type {rope_type!r} in config.json lacks {', '.join(missing)}",
            "complete rope_scaling in config.json",
        )
    if rope_type == "yarn":
        _compare_yarn(config, scaling)
    elif rope_type == "longrope":
        _measure_longrope(config, scaling)
    elif rope_type == "llama3":
        _compare_llama3(config, scaling)


def _compare_yarn(config: Mapping[str, Any], scaling: Mapping[str, Any]) -> None:
    """Upstream only warns about the outcome, but values that cannot be compared or divided make it raise."""
    attention_factor = scaling.get("attention_factor")
    _ = isinstance(attention_factor, float) and attention_factor < 0
    _ = (scaling.get("beta_fast") or 32) < (scaling.get("beta_slow") or 1)
    original = scaling.get("original_max_position_embeddings")
    if original is not None:
        _ = config["max_position_embeddings"] / original


def _measure_longrope(config: Mapping[str, Any], scaling: Mapping[str, Any]) -> None:
    derived = config["hidden_size"] // config["num_attention_heads"]
    int(config.get("head_dim", derived) * 1.0)
    for name in ("short_factor", "long_factor"):
        len(scaling[name])


def _compare_llama3(config: Mapping[str, Any], scaling: Mapping[str, Any]) -> None:
    _ = scaling["high_freq_factor"] <= scaling["low_freq_factor"]
    _ = scaling["original_max_position_embeddings"] >= config["max_position_embeddings"]


def patch_for_vllm(config: dict[str, Any], *, original_length_first: bool) -> None:
    """``patch_rope_parameters``: vLLM merges the rope keys of *its* configuration object into ``rope_parameters``.

    The dict it writes into is ``rope_scaling`` itself. Where that is the default of the class (GptOss without
    ``rope_scaling`` in config.json) the class default changes for the rest of the process, so the configuration that
    NxDI loads later has ``rope_theta`` in it. ``original_length_first`` is vLLM 0.16's order, which does not
    take an empty dict for one dict per layer type either.
    """
    theta = config.get("rope_theta", config.get("rotary_emb_base"))
    partial = next((config[name] for name in ("partial_rotary_factor", "rotary_pct", "rotary_emb_fraction")
                    if name in config), None)  # fmt: skip
    original = config.get("original_max_position_embeddings")
    if config.get("rope_scaling") is not None:
        config["rope_parameters"] = config["rope_scaling"]
    needed = theta is not None or partial is not None or (original_length_first and original is not None)
    if needed and not config.get("rope_parameters"):
        config["rope_parameters"] = {"rope_type": "default"}
    parameters = config.get("rope_parameters")
    if theta is not None:
        parameters["rope_theta"] = theta  # type: ignore[index]  # upstream does not check either
    if partial is not None:
        parameters["partial_rotary_factor"] = partial  # type: ignore[index]
    if original is not None and (original or original_length_first) and parameters is not None:
        parameters["original_max_position_embeddings"] = original
    if parameters is None:
        return
    if set(parameters) <= _NESTED_BY_LAYER and (parameters or not original_length_first):
        for nested in parameters.values():
            _standardise(nested)
    else:
        _standardise(parameters)


def _standardise(parameters: dict[str, Any]) -> None:
    """``patch_rope_parameters_dict``: settle ``type`` against ``rope_type``."""
    if "rope_type" in parameters and "type" in parameters:
        modern, legacy = parameters["rope_type"], parameters["type"]
        if (legacy, modern) not in (("su", "longrope"), ("mrope", "default")) and modern != legacy:
            raise Refused(f"rope_type {modern!r} and type {legacy!r} in config.json disagree", "keep only rope_type")
    elif "type" in parameters:
        parameters["rope_type"] = parameters["type"]
    if "rope_type" not in parameters:
        raise Refused("the rope parameters in config.json have no rope_type", "add rope_type to them")
    if parameters["rope_type"] == "su":
        parameters["rope_type"] = "longrope"
    elif parameters["rope_type"] == "mrope":
        if "mrope_section" not in parameters:
            raise Refused("rope_type mrope in config.json needs mrope_section", "add mrope_section")
        parameters["rope_type"] = "default"
