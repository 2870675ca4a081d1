"""SIMULATED ``neuronx_distributed_inference.models.qwen3.modeling_qwen3``."""

from neuronx_distributed_inference.models.application_base import NeuronBaseForCausalLM
from neuronx_distributed_inference.models.config import InferenceConfig, NeuronConfig


class NeuronQwen3Attention:
    """Named in the serialised config."""


class Qwen3NeuronConfig(NeuronConfig):
    attn_cls = NeuronQwen3Attention


class Qwen3InferenceConfig(InferenceConfig):
    @classmethod
    def get_neuron_config_cls(cls):
        return Qwen3NeuronConfig


class NeuronQwen3ForCausalLM(NeuronBaseForCausalLM):
    config_cls = Qwen3InferenceConfig
