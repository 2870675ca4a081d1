"""Pinned AWS images and how each release behaves, read from ``manifests/toolchains/<name>/``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from aot import resources
from aot.errors import AotError, ErrorId
from aot.fingerprint.profile import check
from aot.request import Target


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a release does that another does not; code asks these flags, never a version.

    Sources: vllm-neuron ``worker/neuronx_distributed_model_loader.py`` (``_get_compiled_model_path``,
    ``_load_weights_common``) and neuronx-distributed ``utils/utils.py`` (``hardware``).
    """

    empties_hash_directory: bool
    artifact_path_variable: str | None
    hash_in_path: bool
    load_error_recompiles: bool
    platform_needs_device: bool
    hardware_enum_hijacked: bool
    entrypoint_forwards_signals: bool


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fact about a release, how sure we are of it, and where it comes from."""

    fact: str
    confidence: Literal["measured", "documented", "reported", "inference"]
    source: str
    targets: tuple[Target, ...]


class Toolchain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One AWS vLLM image; ``image`` is a tag, its digest lives in the user's ``aot.lock``."""

    schema_version: Literal[1]
    name: str
    sdk: str
    vllm: str
    plugin: str
    image: str
    python: str
    python_version: str
    targets: tuple[Target, ...]
    default_for: tuple[Target, ...]
    components: dict[str, str]
    behaviour: Behaviour
    default_lnc: dict[Target, int]
    known: tuple[Known, ...] = ()


def _directory() -> Path:
    return resources.manifests() / "toolchains"


@cache
def names() -> tuple[str, ...]:
    """Names of all toolchains, in SDK order."""
    found = [entry.parent.name for entry in _directory().glob("*/toolchain.toml")]
    return tuple(sorted(found, key=lambda name: [int(part) for part in name.removeprefix("sdk").split(".")]))


@cache
def load(name: str) -> Toolchain:
    """Read one toolchain. Raises ``UNKNOWN_TOOLCHAIN`` or ``TOOLCHAIN_DAMAGED``."""
    if name not in names():
        raise AotError(
            ErrorId.UNKNOWN_TOOLCHAIN,
            reason=f"there is no toolchain {name!r}",
            remedy=f"choose one of {', '.join(names())}, see `aot toolchain list`",
        )
    path = _directory() / name / "toolchain.toml"
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Toolchain)
    except (msgspec.DecodeError, OSError) as problem:
        raise _damaged(path, name, problem) from problem


def default_for(target: Target) -> Toolchain:
    """The toolchain used when none is named."""
    return next(chain for chain in map(load, names()) if target in chain.default_for)


def choose(name: str | None, target: Target) -> Toolchain:
    """The named toolchain, or the target's default. Raises ``TARGET_UNSUPPORTED`` where they do not go together."""
    chain = load(name) if name else default_for(target)
    if target not in chain.targets:
        fitting = [other for other in names() if target in load(other).targets]
        raise AotError(
            ErrorId.TARGET_UNSUPPORTED,
            reason=f"toolchain {chain.name} compiles for {', '.join(chain.targets)}, not for {target}",
            remedy=f"use --toolchain with one of {', '.join(fitting)}",
        )
    return chain


@cache
def load_profile(name: str) -> dict[str, Any] | None:
    """The release's fingerprint profile (see ``aot.fingerprint``), or None where it was never measured.

    Raises ``TOOLCHAIN_DAMAGED``.
    """
    path = _directory() / name / "profile.json"
    if not path.is_file():
        return None
    try:
        profile: dict[str, Any] = json.loads(path.read_bytes())
        check(profile)
    except (ValueError, OSError, AttributeError, TypeError) as problem:
        raise _damaged(path, name, problem) from problem
    return profile


@cache
def load_flags(name: str) -> dict[str, Any] | None:
    """The flags of the release's ``vllm serve`` (see ``aot.serve_command``), or None where they were never captured."""
    path = resources.manifests() / "vllm" / f"{load(name).vllm}.json"
    if not path.is_file():
        return None
    try:
        table: dict[str, Any] = json.loads(path.read_bytes())
    except (ValueError, OSError) as problem:
        raise _damaged(path, name, problem) from problem
    return table


def _damaged(path: Path, name: str, problem: Exception) -> AotError:
    return AotError(
        ErrorId.TOOLCHAIN_DAMAGED,
        reason=f"{path.name} of toolchain {name} cannot be read: {problem}",
        remedy="reinstall neuron-aot, or repair the file if you edited it",
    )


@cache
def load_code(name: str) -> dict[str, str]:
    """Digests of the upstream code that the rules for this release mirror (``code.json``); empty where not recorded."""
    path = _directory() / name / "code.json"
    if not path.is_file():
        return {}
    code: dict[str, str] = json.loads(path.read_bytes())["code"]
    return code
