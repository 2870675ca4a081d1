"""Run the runner in the simulator as a child process, as the host does: a copy named ``aot_runner`` and a job file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aot.resources import runner, simulator

QWEN3_8B = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 12288,
    "max_position_embeddings": 40960,
    "max_window_layers": 36,
    "model_type": "qwen3",
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.51.0",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 151936,
}
# Seed report: batch 2, length 2048, TP 2, inf2. The genuine code's hash of it.
QWEN3_8B_MD5 = "cdb41dafa78720b351955fd849347b26"
ENGINE_ARGS = {
    "tensor_parallel_size": 2,
    "max_model_len": 2048,
    "max_num_seqs": 2,
    "dtype": "bfloat16",
    "block_size": 32,
    "enable_prefix_caching": False,
}

# The same crash with two graphs instead of ten.
SMALL = {**ENGINE_ARGS, "max_model_len": 128}


@dataclass
class Outcome:
    """What the host sees of a finished run."""

    status: int
    stdout: str
    stderr: str
    output: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        return json.loads((self.output / "result.json").read_text())

    def named(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.events if entry["event"] == event]


@dataclass
class Simulation:
    """Directories of one build; every ``run`` is one attempt in them."""

    root: Path
    config: dict[str, Any] = field(default_factory=lambda: dict(QWEN3_8B))
    model: str = "/models/Qwen/Qwen3-8B"
    environment: dict[str, str] = field(default_factory=dict)
    engine_args: dict[str, Any] = field(default_factory=lambda: dict(ENGINE_ARGS))

    def start(self, **changes: Any) -> subprocess.Popen[str]:
        """Start the runner on a job; ``changes`` replace keys of the default job."""
        job = self.root / "job"
        if not job.exists():
            shutil.copytree(runner(), job / "aot_runner", ignore=shutil.ignore_patterns("__pycache__"))
        model = Path(str(self.root / "files") + self.model)
        model.mkdir(parents=True, exist_ok=True)
        (model / "config.json").write_text(json.dumps(self.config))
        (job / "job.json").write_text(json.dumps({**self._job(), **changes}))
        return subprocess.Popen(
            [sys.executable, "-m", "aot_runner", str(job / "job.json")],
            env=self._environment(job),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, **changes: Any) -> Outcome:
        """Run one job to its end."""
        process = self.start(**changes)
        stdout, stderr = process.communicate(timeout=60)
        return Outcome(process.returncode, stdout, stderr, self.root / "output")

    def _job(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "action": "compile",
            "target": "inf2",
            "model_path": self.model,
            "engine_args": self.engine_args,
            "usage_context": "OPENAI_API_SERVER",
            "environment": {},
            "patches": [],
            "jobs": 2,
            "output_dir": str(self.root / "output"),
            "cache_dir": str(self.root / "cache"),
            "work_dir": str(self.root / "work"),
        }

    def _environment(self, job: Path) -> dict[str, str]:
        return {
            "PATH": f"{simulator() / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": f"{job}:{simulator() / 'packages'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AOT_SIMULATOR_ROOT": str(self.root / "files"),
            **self.environment,
        }
