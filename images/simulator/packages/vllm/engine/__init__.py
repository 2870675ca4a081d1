"""SIMULATED ``vllm.engine``."""
