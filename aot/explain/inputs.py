"""What a fingerprint is computed from, as a flat table of named inputs, so that one can be exchanged at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from aot.fingerprint import FingerprintRequest
from aot.fingerprint.explain import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping

FLAG, ENVIRONMENT, TARGET, MODEL_PATH = "flag", "environment", "target", "model path"
CONFIG_JSON, TOOLCHAIN, USAGE = "config.json", "toolchain", "usage context"
ORIGINS = (FLAG, ENVIRONMENT, TARGET, MODEL_PATH, CONFIG_JSON, USAGE, TOOLCHAIN)
"""Kinds of input, most likely cause first: what a user changes every day before what changes once a quarter."""

ADDITIONAL, OVERRIDE = "additional_config", "override_neuron_config"
_FLAGS_FIRST = (
    "tensor_parallel_size",
    "max_model_len",
    "max_num_seqs",
    "dtype",
    "enable_prefix_caching",
    "block_size",
    "enable_chunked_prefill",
    "num_gpu_blocks_override",
)
_KEYS_FIRST = ("architectures", "model_type")


class Name(NamedTuple):
    """One input: a kind of ORIGINS and its key (a flag of ``EngineArgs``, a variable, a key of config.json)."""

    origin: str
    key: str

    @property
    def shown(self) -> str:
        """As the user knows it: ``--max-model-len``, ``NEURON_LOGICAL_NC_CONFIG``, ``config.json rope_theta``."""
        if self.origin == FLAG:
            flag, _, rest = self.key.partition(".")
            dashed = "--" + flag.replace("_", "-")
            return f"{dashed} {rest}" if rest else dashed
        if self.origin == CONFIG_JSON:
            return f"config.json {self.key}"
        return self.key

    @property
    def rank(self) -> tuple[int, int, str]:
        """Sorting key: origin, then the flags that people change most."""
        first = _FLAGS_FIRST if self.origin == FLAG else _KEYS_FIRST
        within = first.index(self.key) if self.key in first else len(first)
        return ORIGINS.index(self.origin), within, self.key


@dataclass(frozen=True, slots=True)
class Inputs:
    """One serving process under one toolchain."""

    request: FingerprintRequest
    toolchain: str


@dataclass(frozen=True, slots=True)
class Known:
    """The inputs that a side states; None stands for unknown, not for empty."""

    model_dir: str | None = None
    hf_config: Mapping[str, Any] | None = None
    engine_args: Mapping[str, Any] | None = None
    env: Mapping[str, str] | None = None
    detected_platform: str | None = None
    usage_context: str | None = None
    toolchain: str | None = None
    whole: bool = False
    """Whether nothing is unknown: then no platform means that none is detected."""


Flat = dict[Name, Any]


def flatten(inputs: Inputs) -> Flat:
    """Every input by name. ``additional_config`` is taken apart where it is an object."""
    request = inputs.request
    flat: Flat = {
        Name(MODEL_PATH, "model path"): request.model_dir,
        Name(USAGE, "usage_context"): request.usage_context,
        Name(TOOLCHAIN, "toolchain"): inputs.toolchain,
    }
    if request.detected_platform is not None:
        flat[Name(TARGET, "target")] = request.detected_platform
    flat |= {Name(CONFIG_JSON, key): value for key, value in request.hf_config.items()}
    flat |= {Name(ENVIRONMENT, key): value for key, value in request.env.items()}
    flat |= {Name(FLAG, key): value for key, value in _flags(request.engine_args).items()}
    return flat


def _flags(arguments: Mapping[str, Any]) -> dict[str, Any]:
    flags = dict(arguments)
    if isinstance(flags.get(ADDITIONAL), dict):
        for key, value in flags.pop(ADDITIONAL).items():
            flags[f"{ADDITIONAL}.{key}"] = value
        override = f"{ADDITIONAL}.{OVERRIDE}"
        if isinstance(flags.get(override), dict):
            for key, value in flags.pop(override).items():
                flags[f"{override}.{key}"] = value
    return flags


def unflatten(flat: Flat) -> Inputs:
    """The inverse of ``flatten``, except that empty objects in ``additional_config`` are left out."""
    parts: dict[str, dict[str, Any]] = {origin: {} for origin in ORIGINS}
    for name, value in flat.items():
        parts[name.origin][name.key] = value
    request = FingerprintRequest(
        model_dir=parts[MODEL_PATH]["model path"],
        hf_config=parts[CONFIG_JSON],
        engine_args=_arguments(parts[FLAG]),
        env=parts[ENVIRONMENT],
        detected_platform=parts[TARGET].get("target"),
        usage_context=parts[USAGE]["usage_context"],
    )
    return Inputs(request, parts[TOOLCHAIN]["toolchain"])


def _arguments(flags: Mapping[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for key, value in flags.items():
        *holders, last = _path(key)
        target = arguments
        for holder in holders:
            inner = target.get(holder)
            target[holder] = target = inner if isinstance(inner, dict) else {}
        target[last] = value
    return arguments


def _path(key: str) -> list[str]:
    if key.startswith(f"{ADDITIONAL}.{OVERRIDE}."):
        return key.split(".", 2)
    return key.split(".", 1) if key.startswith(f"{ADDITIONAL}.") else [key]


def exchange(flat: Flat, names: tuple[Name, ...] | frozenset[Name], other: Flat) -> Flat:
    """``flat`` with the inputs ``names`` as ``other`` has them."""
    changed = dict(flat)
    for name in names:
        if name in other:
            changed[name] = other[name]
        else:
            changed.pop(name, None)
    return changed


def value_of(flat: Flat, name: Name) -> Any:
    """The value, or ABSENT where the input is not given."""
    return flat.get(name, ABSENT)
