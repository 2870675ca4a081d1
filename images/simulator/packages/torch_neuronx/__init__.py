"""SIMULATED torch_neuronx."""

from aot_simulator.toolchains import current

__version__ = current().version("torch-neuronx")
