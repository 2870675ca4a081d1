"""SIMULATED ``vllm_neuron.worker.constants``."""

NEURON_MULTI_MODAL_MODELS = [
    "MllamaForConditionalGeneration",
    "LlavaForConditionalGeneration",
    "Llama4ForConditionalGeneration",
    "Qwen2VLForConditionalGeneration",
    "Qwen3VLForConditionalGeneration",
]
