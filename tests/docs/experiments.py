"""One input of the Qwen3-8B example changed at a time, under every measured toolchain: what becomes of the hash."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aot import toolchain
from aot.fingerprint import Fingerprint, FingerprintError, FingerprintRequest, NotCovered, compute
from aot.fingerprint.explain import differences

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = json.loads((ROOT / "examples/models/Qwen/Qwen3-8B/config.json").read_bytes())
BASE = FingerprintRequest(
    model_dir="/models/Qwen/Qwen3-8B",
    hf_config=CONFIG,
    engine_args={
        "tensor_parallel_size": 2,
        "max_model_len": 2048,
        "max_num_seqs": 2,
        "dtype": "bfloat16",
        "block_size": 32,
        "enable_prefix_caching": False,
    },
    detected_platform="inf2",
)
_MOE: dict[str, Any] = {
    **CONFIG, "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "num_local_experts": 8,
    "num_experts_per_tok": 2,
}  # fmt: skip
_FLAG_VALUES: dict[str, list[Any]] = {
    "quantization": ["fp8", "bitsandbytes", "gguf", "other"],
    "speculative_config": [
        {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4},
        {"model": "/models/draft", "num_speculative_tokens": 4},
        {"other": 1},
    ],
    "compilation_config": [{"mode": 0}, {"level": 0}, {"other": 1}],
}
ENTERS, SAME, REFUSED, NOT_COVERED = "enters", "no", "refused", "not covered"
PARTLY = "no or not covered"


@dataclass(frozen=True)
class Outcome:
    """``kind`` is one of the five; ``fields`` are the paths that changed (enters only)."""

    kind: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A change in words, and its outcome per toolchain."""

    change: str
    outcomes: tuple[Outcome, ...]

    @property
    def kinds(self) -> set[str]:
        return {outcome.kind for outcome in self.outcomes}


def toolchains() -> list[str]:
    """Those whose rules were measured."""
    return [name for name in toolchain.names() if toolchain.load_profile(name)]


def profile(name: str) -> dict[str, Any]:
    found = toolchain.load_profile(name)
    assert found is not None
    return found


class Laboratory:
    """Keeps each toolchain's baseline. Of several values tried, the one that says most about the input counts."""

    def __init__(self) -> None:
        self.profiles = {name: profile(name) for name in toolchains()}
        self._bases: dict[tuple[str, str], Fingerprint] = {}

    def row(self, change: str, *requests: FingerprintRequest, base: FingerprintRequest = BASE) -> Row:
        """``base`` must have a hash in every toolchain, or its outcome is that of the base itself."""
        return Row(change, tuple(self._try(name, requests, base) for name in self.profiles))

    def _try(self, name: str, requests: tuple[FingerprintRequest, ...], base: FingerprintRequest) -> Outcome:
        outcomes = [self._one(name, request, base) for request in requests]
        kinds = {each.kind for each in outcomes}
        if ENTERS not in kinds and {SAME, NOT_COVERED} <= kinds:
            return Outcome(PARTLY)
        return next(
            (each for kind in (ENTERS, SAME, NOT_COVERED) for each in outcomes if each.kind == kind), outcomes[0]
        )

    def value(self, name: str) -> Any:
        """What the example's NeuronConfig has for an attribute, in the first toolchain that has it."""
        found = [self._base(each, BASE).config["neuron_config"] for each in self.profiles]
        return next((each[name] for each in found if name in each), None)

    def default_for_experts(self, name: str) -> Any:
        """The default of an attribute that only a mixture of experts has, in the first toolchain that has it."""
        tables = [each["moe_neuron_config"]["defaults"] for each in self.profiles.values()]
        return next((each[name] for each in tables if name in each), None)

    def _one(self, name: str, request: FingerprintRequest, base: FingerprintRequest) -> Outcome:
        try:
            found = compute(request, self.profiles[name])
        except FingerprintError as problem:
            return Outcome(NOT_COVERED if isinstance(problem, NotCovered) else REFUSED)
        try:
            reference = self._base(name, base)
        except FingerprintError as problem:
            return Outcome(NOT_COVERED if isinstance(problem, NotCovered) else REFUSED)
        if found.md5 == reference.md5:
            return Outcome(SAME)
        return Outcome(ENTERS, tuple(each.path for each in differences(reference.config, found.config)))

    def _base(self, name: str, base: FingerprintRequest) -> Fingerprint:
        key = (name, repr(base))
        if key not in self._bases:
            self._bases[key] = compute(base, self.profiles[name])
        return self._bases[key]


def with_args(base: FingerprintRequest = BASE, /, **changes: Any) -> FingerprintRequest:
    """``base`` with flags changed; None takes a flag away."""
    merged = {**base.engine_args, **changes}
    return replace(base, engine_args={name: value for name, value in merged.items() if value is not None})


def with_override(**override: Any) -> FingerprintRequest:
    return with_args(additional_config={"override_neuron_config": override})


def with_env(base: FingerprintRequest = BASE, /, **env: str) -> FingerprintRequest:
    return replace(base, env={**base.env, **env})


def with_moe(**override: Any) -> FingerprintRequest:
    """A mixture of experts in the place of the dense example."""
    return replace(with_override(**override), hf_config=_MOE)


def with_config(**changes: Any) -> FingerprintRequest:
    return replace(BASE, hf_config={**CONFIG, **changes})


def without_config(name: str) -> FingerprintRequest:
    return replace(BASE, hf_config={key: value for key, value in CONFIG.items() if key != name})


def other_values(default: Any) -> Iterator[Any]:
    """Values besides ``default`` that a setting of its type may take, plainest first."""
    if isinstance(default, bool):
        yield not default
    elif isinstance(default, int | float):
        yield from (default + 1, default * 2, 64)
    elif isinstance(default, str):
        yield from ("float32", "left", "f8e4m3", "per_channel_symmetric", "as-declared", "other")
    elif isinstance(default, list):
        yield ["other"]
    else:
        yield from (True, 2, 128, [128, 2048], "float32", {})


def sample_values(name: str, field: dict[str, Any]) -> list[Any]:
    """Values for a field of ``EngineArgs``: those that it needs, else as the profile describes its type."""
    if name in _FLAG_VALUES:
        return _FLAG_VALUES[name]
    kind = field["type"]
    if kind in ("choice", "only"):
        return list(field.get("choices", [field.get("value")]))
    samples: dict[str, list[Any]] = {
        "int": [2, 1, 0],
        "float": [0.5, 1.0],
        "bool": [True, False],
        "bool or str": [True],
        "str": ["other"],
        "str or list of str": ["other"],
        "list of str": [["other"]],
        "object": [{"other": 1}],
    }
    return samples.get(kind, [True, 1, "other", {"other": 1}])
