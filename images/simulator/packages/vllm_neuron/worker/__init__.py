"""SIMULATED ``vllm_neuron.worker``."""
