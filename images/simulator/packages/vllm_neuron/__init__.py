"""SIMULATED vllm_neuron, the Neuron plugin of vLLM."""
