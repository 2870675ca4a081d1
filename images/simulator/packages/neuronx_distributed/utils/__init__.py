"""SIMULATED ``neuronx_distributed.utils``."""

from .utils import hardware as hardware
