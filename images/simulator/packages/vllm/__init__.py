"""SIMULATED vllm: EngineArgs to VllmConfig, as far as the Neuron plugin's rules reach."""

from aot_simulator.toolchains import current

__version__ = current().version("vllm")
