"""Behaviour flags of the profile: which way a release does something, read off the statements that do it."""

from __future__ import annotations

import ast
import importlib
from typing import TYPE_CHECKING, Any

from .nested import MOE
from .neuron_config import CONFIG
from .pops import assignments, own_attribute, pops

if TYPE_CHECKING:
    from .notes import Notes
    from .sources import Sources


def flags(sources: Sources, notes: Notes) -> dict[str, Any]:
    """Each flag by itself; one whose statement is not found is left out."""
    found: dict[str, Any] = {}
    for name, read in (
        ("fused_qkv_popped_twice", _popped_twice),
        ("full_model_shuffle_for_eagle_draft", _shuffle_for_eagle),
        ("deprecated_kernel_overrides_imply", _deprecated_imply),
        ("router_dtype_converted_in_constructor", _router_converts),
    ):
        notes.put(found, "behaviour", name, lambda r=read: r(sources))  # type: ignore[misc]
    notes.put(found, "behaviour", "hardware_enum_custom_member", lambda: hijacked(notes))
    return found


def hijacked(notes: Notes) -> bool:
    """Whether NxD's ``hardware("inf2")`` is another member under override inf2 (this process runs under it)."""
    notes.need_imports()
    hardware = importlib.import_module("neuronx_distributed.utils.utils").hardware
    return bool(hardware("inf2") is not hardware.TRN1)


def _constructor(sources: Sources) -> ast.FunctionDef:
    function = sources.function(CONFIG, "NeuronConfig", "__init__")
    if not pops(function):
        raise ValueError("NeuronConfig does not take its options in the known way")
    return function


def _popped_twice(sources: Sources) -> bool:
    """The second ``pop`` always finds the default, so the override is lost."""
    return sum(pop.name == "fused_qkv" for pop in pops(_constructor(sources))) > 1


def _shuffle_for_eagle(sources: Sources) -> bool:
    """The assertion on ``is_full_model_shuffled`` also lets an EAGLE draft pass."""
    for node in ast.walk(_constructor(sources)):
        if isinstance(node, ast.Assert):
            named = {own_attribute(part) for part in ast.walk(node.test)}
            if "is_full_model_shuffled" in named:
                return "is_eagle_draft" in named
    raise ValueError("no assertion on is_full_model_shuffled")


def _deprecated_imply(sources: Sources) -> bool:
    """The deprecated token-generation kernels switch on the one that replaced them."""
    return any(
        name == "attn_block_tkg_nki_kernel_enabled"
        and isinstance(expression, ast.Constant)
        and expression.value is True
        for name, expression, _ in assignments(_constructor(sources))
    )


def _router_converts(sources: Sources) -> bool:
    """``RouterConfig(dtype="...")`` converts; else only ``from_kwargs`` does."""
    function = sources.function(MOE, "RouterConfig", "__init__")
    calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id == "to_torch_dtype" for call in calls)
