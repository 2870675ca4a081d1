"""SIMULATED ``vllm.usage``."""
