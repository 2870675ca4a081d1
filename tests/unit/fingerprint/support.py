"""What the fingerprint tests share: the profiles, the vectors, and a small request to vary."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

from aot import resources
from aot.fingerprint import Fingerprint, FingerprintError, compute, parse_request

TOOLCHAINS = ("sdk2.27.1", "sdk2.28.0", "sdk2.29.0")
_VECTORS = Path(__file__).parents[2] / "data" / "vectors"

QWEN3: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 4,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.51.0",
    "vocab_size": 151936,
}
LLAMA: dict[str, Any] = {**QWEN3, "architectures": ["LlamaForCausalLM"], "model_type": "llama"}
ARGS: dict[str, Any] = {
    "tensor_parallel_size": 2,
    "max_model_len": 2048,
    "max_num_seqs": 2,
    "dtype": "bfloat16",
    "block_size": 32,
    "enable_prefix_caching": False,
}


@functools.cache
def profile(toolchain: str = "sdk2.28.0") -> dict[str, Any]:
    path = resources.manifests() / "toolchains" / toolchain / "profile.json"
    return json.loads(path.read_bytes())


def vectors(toolchain: str) -> list[dict[str, Any]]:
    with gzip.open(_VECTORS / f"{toolchain}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def fingerprint(
    *,
    hf: dict[str, Any] | None = None,
    override: Any = None,
    env: dict[str, str] | None = None,
    toolchain: str = "sdk2.28.0",
    platform: str | None = "inf2",
    model_dir: str = "/models/Qwen/Qwen3-8B",
    usage: str = "OPENAI_API_SERVER",
    **args: Any,
) -> Fingerprint:
    """The fingerprint of the small request with the given changes; an argument set to ``...`` is left out."""
    engine_args = {name: value for name, value in {**ARGS, **args}.items() if value is not ...}
    if override is not None:
        engine_args["additional_config"] = {"override_neuron_config": override}
    document = {
        "model_dir": model_dir,
        "hf_config": QWEN3 if hf is None else hf,
        "engine_args": engine_args,
        "env": env or {},
        "detected_platform": platform,
        "usage_context": usage,
    }
    return compute(parse_request(json.loads(json.dumps(document))), profile(toolchain))


def neuron(**changes: Any) -> dict[str, Any]:
    """The ``neuron_config`` of the changed request."""
    return fingerprint(**changes).config["neuron_config"]


def kind(**changes: Any) -> str:
    """The kind of error of the changed request, or "ok"."""
    try:
        fingerprint(**changes)
    except FingerprintError as error:
        return error.kind
    return "ok"
