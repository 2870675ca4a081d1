"""SIMULATED ``neuronx_distributed.utils.utils``: the hardware enum, with the trap of SDK 2.25-2.28."""

import os
from enum import Enum

from aot_simulator.toolchains import current

_CUSTOM = os.environ.get("NEURON_PLATFORM_TARGET_OVERRIDE") if current().custom_is_override else object()


class hardware(Enum):
    TRN1 = "trn1"
    TRN2 = "trn2"
    TRN3 = "trn3"
    CUSTOM = _CUSTOM

    @classmethod
    def _missing_(cls, value):
        same = {"trn1n": cls.TRN1, "inf2": cls.TRN1}
        if value in same:
            return same[value]
        return cls.CUSTOM if value == os.environ.get("NEURON_PLATFORM_TARGET_OVERRIDE") else None
