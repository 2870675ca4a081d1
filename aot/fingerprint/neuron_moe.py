"""Stage 2b, mixture of experts: MoENeuronConfig and the classes derived from it.

Mirrors ``MoENeuronConfig.__init__`` (neuronx-distributed-inference, models/config.py), ``BlockwiseMatmulConfig`` and
``RouterConfig`` (neuronx-distributed, modules/moe/moe_configs.py).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from aot.fingerprint import neuron_config, neuron_nested
from aot.fingerprint.errors import NotCovered, Refused
from aot.fingerprint.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROUTER_DTYPES = ("float32", "float16", "bfloat16")


def build(arguments: Mapping[str, Any], platform: Platform, profile: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of ``MoENeuronConfig(**arguments)``."""
    config = neuron_nested.fields(arguments, profile["moe_neuron_config"]["defaults"])
    if config["capacity_factor"] is not None:
        config["capacity_factor"] = float(config["capacity_factor"])
    config["normalize_top_k_affinities"] = not arguments.get("disable_normalize_top_k_affinities", False)
    tables = profile["nested"]
    if type(config["hybrid_sharding_config"]) is dict:
        config["hybrid_sharding_config"] = neuron_nested.fields(
            config["hybrid_sharding_config"], tables["hybrid_sharding_config"]
        )
    if isinstance(config["blockwise_matmul_config"], dict):
        config["blockwise_matmul_config"] = _blockwise(config["blockwise_matmul_config"], platform, profile)
    config["router_config"] = _router(arguments, profile)
    return {**config, **neuron_config.build(arguments, platform, profile)}


def _blockwise(given: Mapping[str, Any], platform: Platform, profile: Mapping[str, Any]) -> dict[str, Any]:
    """``BlockwiseMatmulConfig.from_kwargs``. Its LNC default is read at import: environment, then platform."""
    config = neuron_nested.fields(given, profile["nested"]["blockwise_matmul_config"])
    enums = profile["enums"]
    if "logical_nc_config" not in given:
        cores = platform.logical_cores_in_env or platform.default_logical_cores
        config["logical_nc_config"] = _member(enums["LogicalNCConfig"], f"LNC_{cores}")
    if isinstance(config["blockwise_nki_autograd_cls"], dict):
        raise NotCovered("blockwise_nki_autograd_cls names a class to be imported")
    strategy = config["block_sharding_strategy"] if "block_sharding_strategy" in given else "HI_LO"
    if isinstance(strategy, str):
        if strategy not in enums["BlockShardStrategy"]["members"]:
            raise Refused(f"block_sharding_strategy {strategy!r} is unknown to NxD", "use HI_LO or PING_PONG")
        strategy = _member(enums["BlockShardStrategy"], strategy)
    config["block_sharding_strategy"] = strategy
    return config


def _member(enum: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An enum member as ``to_dict`` prints it on Python 3.11 and newer."""
    members: dict[str, Any] = enum["members"]
    return {
        "__objclass__": {"__module__": enum["module"], "__name__": enum["name"]},
        "_name_": name,
        "_sort_order_": list(members).index(name),
        "_value_": members[name],
    }


def _router(arguments: Mapping[str, Any], profile: Mapping[str, Any]) -> dict[str, Any]:
    """``RouterConfig(**dict)`` where a dict is given, else ``from_kwargs`` with router_act_fn and router_dtype."""
    given = arguments.get("router_config")
    converts = True
    if isinstance(given, dict):
        if given.keys() - {"act_fn", "dtype"}:
            raise Refused("router_config has unknown keys", "use act_fn and dtype only")
        config = {"act_fn": given.get("act_fn", "softmax"), "dtype": given.get("dtype", "float32")}
        converts = profile["behaviour"]["router_dtype_converted_in_constructor"]
    else:
        config = {
            "act_fn": arguments.get("router_act_fn", "softmax"),
            "dtype": arguments.get("router_dtype", "float32"),
        }
    if converts and isinstance(config["dtype"], str) and config["dtype"] not in _ROUTER_DTYPES:
        raise Refused(f"router dtype {config['dtype']!r} is unknown to NxD", f"use one of {', '.join(_ROUTER_DTYPES)}")
    return copy.copy(config)
