"""Stage 2b, parallelism: degrees, ranks, attention data parallelism, logical cores.

Mirrors the parts of ``NeuronConfig.__init__``, ``_get_lnc`` and ``validate_attention_data_parallel`` of the same names
(neuronx-distributed-inference, models/config.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint.coercion import product, remainder
from aot.fingerprint.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.fingerprint.platform import Platform

_UNSET = -1


def degrees(config: dict[str, Any]) -> None:
    """World size and ranks follow from the degrees unless given."""
    if remainder(config["tp_degree"], config["cp_degree"]) != 0:
        raise Refused("tp_degree is not divisible by cp_degree", "choose a divisor of the tensor parallel degree")
    if config["mlp_cp_degree"] > 1 and not config["sequence_parallel_enabled"]:
        raise Refused("mlp_cp_degree above 1 needs sequence parallelism", "set sequence_parallel_enabled")
    if config["world_size"] is None:
        config["world_size"] = product(product(config["tp_degree"], config["pp_degree"]), config["ep_degree"])
    if config["local_ranks_size"] is None:
        config["local_ranks_size"] = config["world_size"]


def attention_data_parallel(config: dict[str, Any], platform: Platform) -> None:
    """The KV cache is split over attention data parallel groups; trn1-class chips need a padding line for it."""
    config["kv_cache_update_with_kernel"] = False
    if not config["attention_dp_degree"] > 1:
        return
    config["kv_cache_batch_size"] = config["tkg_batch_size"] // config["attention_dp_degree"]
    if platform.hardware == "TRN1" or not config["attn_block_tkg_nki_kernel_cascaded_attention"]:
        config["kv_cache_padding_size"] = 1
    else:
        config["kv_cache_update_with_kernel"] = True
        config["kv_cache_padding_size"] = 0


def validate_data_parallel(config: Mapping[str, Any], degree: Any) -> None:
    """``validate_attention_data_parallel``; GptOss runs it a second time for its sliding window layers."""
    if remainder(config["tp_degree"], degree) != 0:
        raise Refused("tp_degree is not divisible by the attention data parallel degree", "choose a divisor")
    if remainder(config["tkg_batch_size"], degree) != 0:
        raise Refused("the batch size is not divisible by the attention data parallel degree", "choose a divisor")
    if config["cp_degree"] > 1 and degree > 1 and (config["cp_degree"] < degree or config["cp_degree"] % degree != 0):
        raise Refused("cp_degree is not a multiple of the attention data parallel degree", "make it a multiple")
    if degree > 1 and not config["is_continuous_batching"]:
        raise Refused("attention data parallelism needs continuous batching", "use max_num_seqs above 1")
    updates = config["attn_block_tkg_nki_kernel_cache_update"]
    if degree > 1 and updates and not config["kv_cache_update_with_kernel"]:
        raise Refused(
            "attn_block_tkg_nki_kernel_cache_update with attention data parallelism needs cascaded attention on trn2",
            "drop attn_block_tkg_nki_kernel_cache_update",
        )
    if config.get("ep_dispatch_cc_option") == "RS_AG" and config["tp_degree"] > config["tkg_batch_size"]:
        raise Refused("ep_dispatch_cc_option RS_AG needs a batch size of at least tp_degree", "use AR_AG")


def logical_cores(config: dict[str, Any], arguments: Mapping[str, Any], platform: Platform) -> None:
    """``_get_lnc``: the environment wins over the keyword, the keyword over the platform."""
    given = _UNSET
    for name in ("logical_neuron_cores", "logical_nc_config"):  # the first is the deprecated spelling
        if name in arguments:
            given = int(arguments[name])
    if platform.logical_cores_in_env is not None:
        cores = platform.logical_cores_in_env
    else:
        cores = platform.default_logical_cores if given == _UNSET else given
    config["logical_nc_config"] = cores
    config["lm_head_pad"] = arguments.get("lm_head_pad", cores > 1)
