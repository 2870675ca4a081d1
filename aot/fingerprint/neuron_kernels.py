"""Stage 2b, kernels: which flags exclude or imply each other.

Mirrors the kernel section of ``NeuronConfig.__init__`` (neuronx-distributed-inference, models/config.py). From 0.9 on
(sdk2.29.0) the older token-generation and prefill flags are deprecated and imply others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN_GENERATION = ("attn_tkg_nki_kernel_enabled", "attn_tkg_builtin_kernel_enabled",
                     "attn_block_tkg_nki_kernel_enabled")  # fmt: skip
_PREFILL = ("qkv_kernel_enabled", "qkv_nki_kernel_enabled", "attn_kernel_enabled", "out_proj_kernel_enabled")


def kernels(config: dict[str, Any], profile: Mapping[str, Any]) -> None:
    """Requirements of single flags, then the release's treatment of the deprecated ones."""
    behaviour = profile["behaviour"]
    deprecated_imply = behaviour["deprecated_kernel_overrides_imply"]
    if config["qkv_cte_nki_kernel_fuse_rope"]:
        _need(config, "qkv_cte_nki_kernel_fuse_rope", "qkv_kernel_enabled", "qkv_nki_kernel_enabled")
    if deprecated_imply and config["mlp_tkg_nki_kernel_enabled"]:
        config["mlp_kernel_enabled"] = config["mlp_tkg_nki_kernel_enabled"]
    _activation_quantization(config, profile)
    if config["strided_context_parallel_kernel_enabled"] and not config["cp_degree"] > 1:
        raise Refused("strided_context_parallel_kernel_enabled needs context parallelism", "raise cp_degree")
    qkv = config["qkv_kernel_enabled"] or config["qkv_nki_kernel_enabled"]
    if config["attn_block_tkg_nki_kernel_enabled"] and not qkv:
        raise Refused("attn_block_tkg_nki_kernel_enabled needs a qkv kernel", "set qkv_kernel_enabled")
    if deprecated_imply:
        _imply(config)
    else:
        _exclude(config, qkv)


def _activation_quantization(config: dict[str, Any], profile: Mapping[str, Any]) -> None:
    kind = config["activation_quantization_type"]
    if kind is None:
        return
    known = profile["neuron_config"]["activation_quantization_types"]
    if kind not in known:
        raise Refused(f"activation_quantization_type {kind!r} is unknown to NxD", f"use one of {', '.join(known)}")
    if profile["behaviour"]["fused_qkv_popped_twice"]:
        config["fused_qkv"] = False  # read a second time after it was taken out of the keywords: an override is lost


def _exclude(config: Mapping[str, Any], qkv: Any) -> None:
    if config["attn_block_cte_nki_kernel_enabled"] and not (config["attn_block_tkg_nki_kernel_enabled"] and qkv):
        raise Refused(
            "attn_block_cte_nki_kernel_enabled needs attn_block_tkg_nki_kernel_enabled and a qkv kernel", "set both"
        )
    if sum(config[name] for name in _TOKEN_GENERATION) > 1:
        raise Refused("more than one token-generation attention kernel is enabled", "enable only one of them")


def _imply(config: dict[str, Any]) -> None:
    if config["attn_tkg_nki_kernel_enabled"] or config["attn_tkg_builtin_kernel_enabled"]:
        config["attn_block_tkg_nki_kernel_enabled"] = True
    if config["attn_block_cte_nki_kernel_enabled"]:
        disabled = [name for name in _PREFILL if config[name] is False]
        if disabled:
            raise Refused(
                f"attn_block_cte_nki_kernel_enabled needs {', '.join(disabled)}", "set them to true explicitly"
            )
        config.update(dict.fromkeys(_PREFILL, True))


def conflicts(config: dict[str, Any], profile: Mapping[str, Any]) -> None:
    """Features that the attention kernels and a transposed K cache do not support, MLP kernels with quantization."""
    if not config["attn_block_tkg_nki_kernel_enabled"]:
        for name in ("attn_block_tkg_nki_kernel_cache_update", "attn_block_tkg_nki_kernel_cascaded_attention"):
            if config[name]:
                raise Refused(f"{name} needs attn_block_tkg_nki_kernel_enabled", "set that too, or drop it")
    names = _TOKEN_GENERATION[2:] if profile["behaviour"]["deprecated_kernel_overrides_imply"] else _TOKEN_GENERATION
    if _enabled(config, names):
        _refuse(config, "a token-generation attention kernel", "flash_decoding_enabled", "is_chunked_prefill")
    if config["k_cache_transposed"]:
        _refuse(config, "k_cache_transposed", "flash_decoding_enabled", "is_chunked_prefill", "is_block_kv_layout")
    mlp_kernel = config["quantized_mlp_kernel_enabled"] or config["mlp_kernel_enabled"]
    if mlp_kernel and config["activation_quantization_type"]:
        raise Refused("activation quantization does not go with MLP kernels", "drop one of them")
    if config["rmsnorm_quantize_kernel_enabled"] and not config["quantized_mlp_kernel_enabled"]:
        raise Refused("rmsnorm_quantize_kernel_enabled needs quantized_mlp_kernel_enabled", "set both")


def _enabled(config: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    """Upstream sums the flags, except where only one is left: then it is its truth that counts."""
    if len(names) == 1:
        return bool(config[names[0]])
    return bool(sum(config[name] for name in names) > 0)


def _refuse(config: Mapping[str, Any], what: str, *features: str) -> None:
    found = [name for name in features if config[name]]
    if found:
        raise Refused(f"{what} does not support {', '.join(found)}", "drop one of them")


def _need(config: Mapping[str, Any], what: str, *required: str) -> None:
    missing = [name for name in required if not config[name]]
    if missing:
        raise Refused(f"{what} needs {', '.join(missing)}", "set them too")
