"""SIMULATED ``neuronx_distributed.trace``."""
