"""SIMULATED ``neuronx_distributed_inference.modules.generation.sampling``: top-k over the sharded logits."""

from neuronx_distributed.operators.topk import topk as nxd_topk


class Sampler:
    def __init__(self, neuron_config) -> None:
        self.neuron_config = neuron_config

    def forward(self, token_logits):
        dim = token_logits.dim() - 1
        return nxd_topk(
            tensor=token_logits, k=self.neuron_config.on_device_sampling_config.global_topk, dim=dim, gather_dim=dim,
            process_group=self.neuron_config.tp_degree, stages=1,
        )  # fmt: skip
