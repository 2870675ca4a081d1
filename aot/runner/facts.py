"""Facts about the image that two builds are compared by: versions, platform, which prefill kernels NxDI chose."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform as python_platform
import sys
from typing import Any

# Distribution names as in the AWS images.
DISTRIBUTIONS = (
    "vllm",
    "vllm-neuron",
    "neuronx-cc",
    "neuronx-distributed",
    "neuronx-distributed-inference",
    "torch-neuronx",
    "libneuronxla",
    "torch",
    "transformers",
)


def versions() -> dict[str, str | None]:
    """Installed versions by distribution name; null for what is not installed."""
    found: dict[str, str | None] = {"python": python_platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def is_simulated() -> bool:
    """Whether this is the simulator's image; it says so by containing this module."""
    return importlib.util.find_spec("aot_simulator") is not None


def platform_facts(target: str, alias_applied: bool) -> dict[str, Any]:
    """What the image believes it compiles for, asked of the same functions that NxDI asks."""
    detected = importlib.import_module("torch_neuronx.utils").get_platform_target()
    hardware = importlib.import_module("neuronx_distributed.utils.utils").hardware
    return {
        "target": target,
        "override": os.environ.get("NEURON_PLATFORM_TARGET_OVERRIDE"),
        "platform_target": detected,
        "hardware_member": hardware(detected).name,
        "hardware_alias_applied": alias_applied,
        "native_gqa": native_gqa(),
    }


def native_gqa() -> bool | None:
    """NxDI's ``_has_native_gqa_tp_support``, which decides the prefill kernel; null where NxDI has no such name."""
    module = sys.modules.get("neuronx_distributed_inference.modules.attention.attention_base")
    value = getattr(module, "_has_native_gqa_tp_support", None)
    return value if value is None else bool(value)
