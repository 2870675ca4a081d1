"""SIMULATED ``torch_neuronx.utils``."""

import os
import re


def get_platform_target(compiler_args=None) -> str:
    """A ``--target`` in the arguments, the override, or nothing: there is no device here."""
    named = re.search(r"--target[= ](\S+)", compiler_args or "")
    target = named.group(1) if named else os.environ.get("NEURON_PLATFORM_TARGET_OVERRIDE")
    if not target:
        raise RuntimeError("SIMULATED: no Neuron device found and NEURON_PLATFORM_TARGET_OVERRIDE is not set")
    return target
