"""SIMULATED neuronx_distributed."""

from aot_simulator.toolchains import current

__version__ = current().version("neuronx-distributed")
