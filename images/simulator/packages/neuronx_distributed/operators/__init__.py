"""SIMULATED ``neuronx_distributed.operators``."""
