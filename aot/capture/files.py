"""A captured profile as the two files of a toolchain: ``profile.json`` and a draft of ``toolchain.toml``.

The same capture gives the same bytes. Nothing that was not found is filled in: it is listed in the profile and left out
of the draft, with a comment that says why.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import tomli_w

from aot import toolchain
from aot.capture.carry import carried
from aot.errors import AotError, ErrorId
from aot.files import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from aot.capture.capture import Captured, Found

PROFILE = "profile.json"
DRAFT = "toolchain.toml"
HASHED_BY = ("vllm", "vllm-neuron", "neuronx-distributed-inference", "neuronx-distributed", "transformers")
"""Distributions whose code makes the hash: the profile's components."""
BUILT_WITH = ("neuronx-cc", "neuronx-distributed", "neuronx-distributed-inference", "torch-neuronx", "libneuronxla")


def profile(captured: Captured, name: str, base: str | None = None) -> dict[str, Any]:
    """The profile as ``aot.fingerprint`` reads it, with what it lacks in ``not_captured``.

    With ``base``, a measured toolchain, what no introspection finds is taken over from it, and listed.
    """
    plain = _plain(captured, name)
    if base is None:
        return plain
    filled = carried(plain, toolchain.load_profile(base) or {}, changed_code(captured, base))
    return {**filled.profile, "carried_over": {"from": base, "paths": filled.paths, "left_out": filled.left_out}}


def changed_code(captured: Captured, measured: str) -> list[str]:
    """Upstream code that the rules for ``measured`` mirror and that is other, or gone, in the image."""
    here = captured.found.profile.get("code", {})
    return sorted(name for name, digest in toolchain.load_code(measured).items() if here.get(name) != digest)


def _plain(captured: Captured, name: str) -> dict[str, Any]:
    found = captured.found
    return {
        **found.profile,
        "about": f"What enters the serve-time hash in {name}: captured from {captured.image} by aot.",
        "schema_version": 1,
        "toolchain": name,
        "simulated": captured.simulated,
        "components": _versions(found, HASHED_BY),
        "computed": found.computed,
        "not_captured": {path: why for path, why in missing(found).items() if not path.startswith("toolchain.")},
    }


def missing(found: Found) -> dict[str, str]:
    """Everything that could not be found, packages without a version included."""
    wanted = {*HASHED_BY, *BUILT_WITH}
    unversioned = {f"components.{name}": "not installed" for name in wanted if not found.versions.get(name)}
    return dict(sorted({**found.not_captured, **unversioned}.items()))


def _versions(found: Found, names: tuple[str, ...]) -> dict[str, str]:
    return {name: version for name in sorted(names) if (version := found.versions.get(name))}


def draft(captured: Captured, name: str, python: str) -> str:
    """``toolchain.toml`` with what is known; it loads once the fields in the comments are added."""
    found = captured.found
    fields: dict[str, Any] = {
        "schema_version": 1,
        "name": name,
        "image": captured.image.partition("@")[0],
        "python": python,
        **{key: value for key, value in found.toolchain.items() if key == "python_version"},
        **_named({"vllm": "vllm", "plugin": "vllm-neuron"}, found),
    }
    if name.startswith("sdk"):
        fields["sdk"] = name.removeprefix("sdk")
    tables = {
        "components": _versions(found, BUILT_WITH),
        **{key: value for key, value in sorted(found.toolchain.items()) if isinstance(value, dict)},
    }
    head = [f"# Draft for toolchain {name}, captured from {captured.image}."]
    if captured.simulated:
        head.append("# SIMULATED: a stand-in played the image, its word is worth nothing.")
    head += [f"# not captured: {path.removeprefix('toolchain.')} ({why})" for path, why in _absent(found).items()]
    return "\n".join([*head, tomli_w.dumps({**fields, **tables})])


def _absent(found: Found) -> dict[str, str]:
    return {path: why for path, why in missing(found).items() if path.startswith(("toolchain.", "components."))}


def _named(names: dict[str, str], found: Found) -> dict[str, str]:
    """Versions without the local part that AWS's builds carry (``0.4.1+abc``)."""
    return {key: version.partition("+")[0] for key, name in names.items() if (version := found.versions.get(name))}


def write(made: dict[str, Any], toml: str, directory: Path) -> None:
    """Write both files. Raises ``STORE_UNWRITABLE`` when the disk refuses."""
    text = json.dumps(made, indent=1, sort_keys=True) + "\n"
    try:
        write_atomic(directory / PROFILE, text.encode())
        write_atomic(directory / DRAFT, toml.encode())
    except OSError as problem:
        raise AotError(
            ErrorId.STORE_UNWRITABLE,
            reason=f"{directory} cannot be written: {problem.strerror or problem}",
            remedy="choose another --output directory, or free some space",
        ) from problem
