"""SIMULATED ``neuronx_distributed_inference.models.llama.modeling_llama``."""

from neuronx_distributed_inference.models.application_base import NeuronBaseForCausalLM
from neuronx_distributed_inference.models.config import InferenceConfig


class LlamaInferenceConfig(InferenceConfig):
    pass


class NeuronLlamaForCausalLM(NeuronBaseForCausalLM):
    config_cls = LlamaInferenceConfig
