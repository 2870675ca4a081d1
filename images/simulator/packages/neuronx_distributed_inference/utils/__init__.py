"""SIMULATED ``neuronx_distributed_inference.utils``."""
