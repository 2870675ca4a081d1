"""Small artifacts for tests: a record that contradicts nothing, and compiled files to go with it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from aot.artifact.image import PackedImage, pack
from aot.artifact.record import (
    EosFact,
    FingerprintFact,
    ModelFact,
    PlatformFact,
    Record,
    RecordedRequest,
    Serving,
    ToolchainFact,
)
from aot.request import ServeOptions

if TYPE_CHECKING:
    from pathlib import Path

    from aot.storage.local import LocalStore
    from aot.storage.stored import Stored

CANONICAL = '{\n  "neuron_config": {}\n}'
MD5 = hashlib.md5(CANONICAL.encode(), usedforsecurity=False).hexdigest()
IMAGE = "public.ecr.aws/neuron/pytorch-inference-vllm-neuronx:0.13.0-neuronx-py312-sdk2.28.0-ubuntu24.04"


def key_for(what: str) -> str:
    """Some 64 digits."""
    return hashlib.sha256(what.encode()).hexdigest()


def make_record(what: str = "a", **changes: Any) -> Record:
    """A simulated Qwen3-8B; ``what`` varies the key, ``changes`` replaces fields."""
    options = ServeOptions(tensor_parallel_size=2, max_model_len=2048, max_num_seqs=2, dtype="bfloat16")
    facts = Record(
        simulated=True,
        note="built by the simulator",
        key=key_for(what),
        request=RecordedRequest(model="Qwen/Qwen3-8B", target="inf2", options=options),
        toolchain=ToolchainFact(name="sdk2.28.0", sdk="2.28.0", image=IMAGE),
        model=ModelFact(id="Qwen/Qwen3-8B", path="/models/Qwen/Qwen3-8B", commit="b" * 40),
        fingerprint=FingerprintFact(found=MD5, predicted=MD5),
        canonical_json=CANONICAL,
        architecture="Qwen3ForCausalLM",
        model_class="NeuronQwen3ForCausalLM",
        platform=PlatformFact(target="inf2", override="inf2"),
        eos=EosFact(ok=True, stop_ids=[151645, 151643]),
        serving=Serving(flags=options.serve_flags(), model_path="/models/Qwen/Qwen3-8B"),
        versions={"vllm": "0.13.0", "neuronx-cc": "2.23.6484"},
    )
    return msgspec.structs.replace(facts, **changes)


def make_output(directory: Path, content: bytes = b"model", weights: dict[str, bytes] | None = None) -> Path:
    """What a compile leaves: ``directory/compiled/...``; returns ``directory``."""
    compiled = directory / "compiled"
    compiled.mkdir(parents=True, exist_ok=True)
    (compiled / "neuron_config.json").write_text(CANONICAL)
    (compiled / "model.pt").write_bytes(content)
    for name, data in (weights or {}).items():
        (compiled / "weights").mkdir(exist_ok=True)
        (compiled / "weights" / name).write_bytes(data)
    return directory


def make_packed(directory: Path, what: str = "a", content: bytes = b"model", **changes: Any) -> PackedImage:
    """An image packed below ``directory``."""
    staging = directory / "staging"
    staging.mkdir(parents=True)
    return pack(make_record(what, **changes), make_output(directory / "output", content), staging)


def put_artifact(store: LocalStore, scratch: Path, what: str = "a", content: bytes = b"model") -> Stored:
    """Pack and store one artifact, as a build does it."""
    output = make_output(scratch / f"output-{what}", content)
    with store.staging() as staging:
        return store.put(pack(make_record(what), output, staging))
