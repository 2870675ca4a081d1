"""SIMULATED ``neuronx_distributed_inference.models.llama``."""
