"""SIMULATED neuronx_distributed_inference."""

from aot_simulator.toolchains import current

__version__ = current().version("neuronx-distributed-inference")
