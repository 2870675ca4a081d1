"""How this image's server finds its artifact: the facts of ``toolchain.toml``."""

from __future__ import annotations

import ast
import platform
from typing import TYPE_CHECKING, Any

from ..serving import LOADER
from . import behaviour
from .values import value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .notes import Notes
    from .sources import Sources

PATH_METHOD = "_get_compiled_model_path"
LOAD_METHOD = "_load_weights_common"
LNC = "neuronx_distributed.utils.model_utils"
# Facts that are not in any Python source of the image.
ELSEWHERE = {
    "targets": "what AWS supports with this image is in its documentation, not in it",
    "default_for": "a decision of ours",
    "behaviour.entrypoint_forwards_signals": "the entrypoint belongs to the image, not to its Python packages",
}


def facts(sources: Sources, notes: Notes) -> dict[str, Any]:
    """Behaviour flags, the default LNC by target, and the version of Python."""
    flags: dict[str, Any] = {}
    for name, read in (
        ("empties_hash_directory", _empties),
        ("artifact_path_variable", _variable),
        ("hash_in_path", _hash_in_path),
        ("load_error_recompiles", _recompiles),
        ("platform_needs_device", _needs_device),
    ):
        notes.put(flags, "toolchain.behaviour", name, lambda r=read: r(sources))  # type: ignore[misc]
    notes.put(flags, "toolchain.behaviour", "hardware_enum_hijacked", lambda: behaviour.hijacked(notes))
    found: dict[str, Any] = {"python_version": platform.python_version(), "behaviour": flags}
    notes.put(found, "toolchain", "default_lnc", lambda: _default_lnc(sources))
    for name, why in ELSEWHERE.items():
        notes.not_introspectable(f"toolchain.{name}", why)
    return found


def _method(sources: Sources, name: str) -> ast.FunctionDef:
    """A method of whichever class of the loader module defines it."""
    for node in ast.walk(sources.tree(LOADER)):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    raise LookupError(f"{LOADER} defines no {name}")


def _calls(function: ast.FunctionDef) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def _empties(sources: Sources) -> bool:
    """It removes the directory that it returns."""
    return any(name == "shutil.rmtree" for name, _ in _calls(_method(sources, PATH_METHOD)))


def _variable(sources: Sources) -> str:
    """The environment variable that names the artifact directly."""
    for name, call in _calls(_method(sources, PATH_METHOD)):
        if name in ("os.getenv", "os.environ.get"):
            return str(value(call.args[0]))
    raise LookupError(f"{PATH_METHOD} reads no environment variable")


def _hash_in_path(sources: Sources) -> bool:
    """The hash is a parameter, and part of a path."""
    function = _method(sources, PATH_METHOD)
    hashes = {parameter.arg for parameter in function.args.args if "hash" in parameter.arg}
    paths = (node for node in ast.walk(function) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
    return any(isinstance(path.right, ast.Name) and path.right.id in hashes for path in paths)


def _recompiles(sources: Sources) -> bool:
    """A load error is caught and answered by returning, not by raising; the caller then compiles."""
    for node in ast.walk(_method(sources, LOAD_METHOD)):
        if isinstance(node, ast.ExceptHandler) and "FileNotFoundError" in ast.unparse(node.type or ast.Constant("")):
            return not any(isinstance(part, ast.Raise) for part in ast.walk(node))
    return False


def _needs_device(sources: Sources) -> bool:
    """``register`` of the plugin asks for /dev/neuron*."""
    sources.function("vllm_neuron", "register")
    constants = (node for node in ast.walk(sources.tree("vllm_neuron")) if isinstance(node, ast.Constant))
    return any(isinstance(node.value, str) and node.value.startswith("/dev/neuron") for node in constants)


def _default_lnc(sources: Sources) -> dict[str, int]:
    """``get_platform_lnc``: the targets it names have 2."""
    function = sources.function(LNC, "get_platform_lnc")
    named = {str(node.value) for node in ast.walk(function) if isinstance(node, ast.Constant)}
    return {target: 2 if target in named else 1 for target in ("inf2", "trn1", "trn2")}
