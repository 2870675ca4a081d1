"""SIMULATED ``neuronx_distributed_inference.models.qwen3``."""
