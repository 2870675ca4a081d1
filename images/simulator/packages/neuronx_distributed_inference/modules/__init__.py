"""SIMULATED ``neuronx_distributed_inference.modules``."""
