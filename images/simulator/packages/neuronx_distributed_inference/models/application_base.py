"""SIMULATED ``neuronx_distributed_inference.models.application_base``: compiles without weights."""

import io
import math
import os
import zipfile
from pathlib import Path

import torch
from aot_simulator.hlo import Shape
from aot_simulator.tracing import Tensor, record
from neuronx_distributed.trace.model_builder import ModelBuilder

from neuronx_distributed_inference.models.config import InferenceConfig
from neuronx_distributed_inference.modules import autobucketing
from neuronx_distributed_inference.modules.attention import attention_base  # noqa: F401 (upstream's models import it)
from neuronx_distributed_inference.modules.generation.sampling import Sampler

COMPILED_MODEL_FILE_NAME = "model.pt"
CONTEXT_ENCODING_MODEL_TAG = "context_encoding_model"
TOKEN_GENERATION_MODEL_TAG = "token_generation_model"  # noqa: S105
NOTE = b"SIMULATED: no compiler of AWS was involved; this is not TorchScript and runs nowhere.\n"


class NeuronBaseForCausalLM(torch.nn.Module):
    config_cls = InferenceConfig

    def __init__(self, model_path: str, config: InferenceConfig = None) -> None:
        super().__init__()
        self.model_path, self.config, self.neuron_config = model_path, config, config.neuron_config

    @classmethod
    def get_config_cls(cls):
        return cls.config_cls

    @classmethod
    def get_neuron_config_cls(cls):
        return cls.config_cls.get_neuron_config_cls()

    def get_compiler_args(self):
        """A model's own flags; None for those of the model wrapper."""

    def compile(self, compiled_model_path, debug=False, pre_shard_weights_hook=None, dry_run=False) -> None:
        self.config.save(compiled_model_path)
        neffs = self._builder().trace(initialize_model_weights=False, dry_run=dry_run)
        (Path(compiled_model_path) / COMPILED_MODEL_FILE_NAME).write_bytes(_bundle(neffs))

    def _builder(self) -> ModelBuilder:
        builder = ModelBuilder(
            router=None,
            tp_degree=self.neuron_config.tp_degree,
            checkpoint_loader=None,
            compiler_workdir=os.environ.get("BASE_COMPILE_WORK_DIR", "/tmp/nxd_model/"),  # noqa: S108 (upstream's)
        )
        neuron = self.neuron_config
        builder.add(
            CONTEXT_ENCODING_MODEL_TAG,
            lambda bucket: self._trace(neuron.ctx_batch_size, bucket),
            autobucketing.generate_buckets_for_cte(self.config),
            self._flags(CONTEXT_ENCODING_MODEL_TAG),
        )
        builder.add(
            TOKEN_GENERATION_MODEL_TAG,
            lambda bucket: self._trace(neuron.tkg_batch_size, bucket),
            autobucketing.generate_buckets_for_tkg(self.config),
            self._flags(TOKEN_GENERATION_MODEL_TAG),
            priority_model_idx=0,
        )
        return builder

    def _trace(self, batch: int, bucket) -> None:
        """Only the head: logits come in as a parameter, a shard of the vocabulary wide."""
        shard = math.ceil(self.config.vocab_size / self.neuron_config.tp_degree)
        shape = Shape("f32", (batch, shard))
        logits = Tensor(torch.float32, shape.dimensions, record("parameter", shape, op_name="lm_head/logits"))
        if self.neuron_config.on_device_sampling_config is None:
            record("tuple", shape, operands=(logits.instruction.id,))
            return
        results = Sampler(self.neuron_config).forward(logits)
        shapes = [Shape(result.dtype.element, result.shape) for result in results]
        record("tuple", *shapes, operands=tuple(result.instruction.id for result in results))

    def _flags(self, tag: str) -> str:
        own = self.get_compiler_args()
        if own is not None:
            return own
        generates = tag == TOKEN_GENERATION_MODEL_TAG
        factor = 1 if generates else self.neuron_config.cc_pipeline_tiling_factor
        modular = "" if generates else " --modular-flow-mac-threshold=10 "
        return (
            "--auto-cast=none --model-type=transformer "
            f"--tensorizer-options='--enable-ccop-compute-overlap --cc-pipeline-tiling-factor={factor} "
            f"--vectorize-strided-dma ' --lnc={self.neuron_config.logical_nc_config} {'-O2' if generates else '-O1'} "
            f"--internal-hlo2tensorizer-options='{modular}--verify-hlo=true'"
        )


def _bundle(neffs: dict) -> bytes:
    """An uncompressed zip with a fixed clock: the same NEFFs give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("SIMULATED.txt"), NOTE)
        for tag in sorted(neffs):
            for rank, neff in enumerate(neffs[tag]):
                archive.writestr(zipfile.ZipInfo(f"{tag}/_tp0_bk{rank}/graph.neff"), neff)
    return buffer.getvalue()
