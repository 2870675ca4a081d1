"""SIMULATED ``neuronx_distributed_inference.models.qwen2.modeling_qwen2``."""

from neuronx_distributed_inference.models.application_base import NeuronBaseForCausalLM
from neuronx_distributed_inference.models.config import InferenceConfig, NeuronConfig


class NeuronQwen2Attention:
    """Named in the serialised config."""


class Qwen2NeuronConfig(NeuronConfig):
    attn_cls = NeuronQwen2Attention


class Qwen2InferenceConfig(InferenceConfig):
    def add_derived_config(self) -> None:
        self.qkv_bias, self.o_bias = True, False

    @classmethod
    def get_neuron_config_cls(cls):
        return Qwen2NeuronConfig


class NeuronQwen2ForCausalLM(NeuronBaseForCausalLM):
    config_cls = Qwen2InferenceConfig

    def get_compiler_args(self):
        return (
            "--enable-saturate-infinity --enable-mixed-precision-accumulation --auto-cast=none "
            "--model-type transformer -O1 --tensorizer-options='--enable-ccop-compute-overlap "
            "--cc-pipeline-tiling-factor=2 --vectorize-strided-dma' "
            "--internal-hlo2tensorizer-options='--verify-hlo=true'"
        )
