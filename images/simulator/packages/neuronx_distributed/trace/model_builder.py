"""SIMULATED ``neuronx_distributed.trace.model_builder``: trace all graphs, compile the first token-generation bucket
alone and the rest in a thread pool, put the NEFFs together."""

import concurrent.futures
import hashlib
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from aot_simulator import switches, tracing
from libneuronxla import neuron_xla_compile, neuron_xla_wlo_compile
from torch_neuronx.utils import get_platform_target

logger = logging.getLogger("Neuron")

NEFF_FILE = "graph.neff"
GRAPH_HLO_FILE = "graph.hlo"
LOG_FILE_DEFAULT_NAME = "log-neuron-cc.txt"


def get_hash_module(hlo_module: bytes, flags: str) -> str:
    return hashlib.sha256(hlo_module + flags.replace(" ", "").encode()).hexdigest()[:20]


@dataclass
class ModelContainer:
    trace_bucket: object  # called with a bucket while an HLO module records
    buckets: list
    compiler_args: str
    priority_model_idx: object = None
    modules: list = field(default_factory=list)
    neffs: list = field(default_factory=list)


class ModelBuilder:
    def __init__(self, router, tp_degree, checkpoint_loader, compiler_workdir=None, **keywords) -> None:
        self.compiler_workdir = compiler_workdir or "/tmp/nxd_model/"  # noqa: S108 (upstream's default)
        self.model_collection: dict = {}

    def add(self, key, model_instance, example_inputs, compiler_args=None, priority_model_idx=None, **keywords):
        flags = compiler_args + " --verbose=35"
        self.model_collection[key] = ModelContainer(model_instance, example_inputs, flags, priority_model_idx)
        return self

    def trace(self, initialize_model_weights=True, dry_run=False) -> dict:
        """``{submodel: [NEFF bytes per bucket]}``; upstream returns TorchScript that holds them."""
        shutil.rmtree(self.compiler_workdir, ignore_errors=True)
        logger.info("Generating HLOs for the following models: %s", list(self.model_collection))
        for key, container in self.model_collection.items():
            for bucket in container.buckets:
                logger.info("generating HLO: %s, bucket = %s", key, bucket)
                with tracing.module(f"SIMULATED_{key}_{bucket}") as module:
                    container.trace_bucket(bucket)
                container.modules.append(module.encode())
            container.neffs = [None] * len(container.modules)
        switches.at_compile_start()
        self._compile_priority()
        self._compile_rest()
        return {key: container.neffs for key, container in self.model_collection.items()}

    def _compile_priority(self) -> None:
        for key, container in self.model_collection.items():
            rank = container.priority_model_idx
            if rank is not None:
                logger.info("Starting compilation for the priority HLO")
                logger.info("'%s' is the priority model with bucket rank %s", key, rank)
                container.neffs[rank] = self._submit(
                    neuron_xla_wlo_compile, key, rank, " --enable-internal-neff-wrapper"
                )

    def _compile_rest(self) -> None:
        logger.info("Starting compilation for all HLOs")
        executor = concurrent.futures.ThreadPoolExecutor()  # upstream does not wait for the rest when one fails
        jobs = {}
        for key, container in self.model_collection.items():
            for rank in range(len(container.modules)):
                if rank != container.priority_model_idx:
                    jobs[executor.submit(self._submit, neuron_xla_compile, key, rank)] = (key, rank)
        for job in concurrent.futures.as_completed(jobs):
            key, rank = jobs[job]
            self.model_collection[key].neffs[rank] = job.result()
        logger.info("Finished Compilation for all HLOs")

    def _submit(self, compile, key: str, rank: int, more_flags: str = "") -> bytes:
        container = self.model_collection[key]
        directory = Path(self.compiler_workdir, key, f"_tp0_bk{rank}")
        (directory / "model").mkdir(parents=True, exist_ok=True)
        (directory / "model" / GRAPH_HLO_FILE).write_bytes(container.modules[rank])
        flags = f"{container.compiler_args} --logfile={directory.absolute() / LOG_FILE_DEFAULT_NAME}{more_flags}"
        neff = compile(
            container.modules[rank], flags, input_format="hlo", platform_target=get_platform_target(flags),
            cache_key=get_hash_module(container.modules[rank], flags), retry_failed_compilation=False, lazy=True,
            use_cache=True, cache_dir=None, work_dir=directory.absolute(), create_subdir=False,
        )  # fmt: skip
        (directory / NEFF_FILE).write_bytes(neff)
        return neff
