"""Digests of the upstream functions that aot's rules mirror: one that changed is a rule to look at again.

It is the parsed code that is digested, so comments, layout and docstrings do not count; nor does the version of Python
that parsed it: fields that are empty are left out, which is where versions differ.
"""

from __future__ import annotations

import ast
import hashlib
import json
from typing import TYPE_CHECKING, Any

from ..serving import LOADER
from . import hf_classes
from .neuron_config import CONFIG
from .notes import SURPRISES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .notes import Notes
    from .sources import Sources

FUNCTIONS: tuple[tuple[str, ...], ...] = (
    (LOADER, "_get_model_configs"),
    (LOADER, "_get_neuron_model_cls"),
    (LOADER, "_get_default_neuron_config"),
    (LOADER, "_validate_override_neuron_config"),
    (LOADER, "_get_neuron_config_after_override"),
    (LOADER, "_handle_pa_num_blocks"),
    (LOADER, "_validate_neuron_config"),
    ("vllm_neuron.platform", "NeuronPlatform"),
    (CONFIG, "NeuronConfig"),
    (CONFIG, "MoENeuronConfig"),
    (CONFIG, "InferenceConfig"),
    (CONFIG, "to_dict"),
    ("neuronx_distributed_inference.utils.hf_adapter", "load_pretrained_config"),
    ("neuronx_distributed.utils.utils", "hardware"),
    ("neuronx_distributed.utils.model_utils", "get_platform_lnc"),
    ("neuronx_distributed.modules.moe.moe_configs", "BlockwiseMatmulConfig"),
    ("neuronx_distributed.modules.moe.moe_configs", "RouterConfig"),
    ("vllm.engine.arg_utils", "EngineArgs", "create_engine_config"),
    ("vllm.engine.arg_utils", "EngineArgs", "_set_default_max_num_seqs_and_batched_tokens_args"),
    ("vllm.config.model", "_get_and_verify_dtype"),
    ("vllm.transformers_utils.config", "patch_rope_parameters"),
    ("transformers.configuration_utils", "PretrainedConfig", "__init__"),
    ("transformers.configuration_utils", "PretrainedConfig", "to_dict"),
)


def digests(sources: Sources, notes: Notes) -> dict[str, Any]:  # noqa: ARG001 (the signature of a section)
    """``module:name`` -> the first 16 hex digits of a sha256; what is not there is left out."""
    found = {}
    for module, *names in FUNCTIONS:
        found.update(_digest(sources, module, names))
    for module, name in _config_classes(sources):
        found.update(_digest(sources, module, [name]))
    for model_type in hf_classes.MODEL_TYPES:
        try:
            definition = hf_classes.definition_of(model_type, sources)
        except SURPRISES:
            continue
        found.update(_digest(sources, hf_classes.module_of(model_type), [definition.name]))
    return found


def _digest(sources: Sources, module: str, names: list[str]) -> dict[str, str]:
    try:
        definition = sources.find(module, *names)
    except SURPRISES:
        return {}
    return {f"{module}:{'.'.join(names)}": digest(definition)}


def digest(definition: ast.AST) -> str:
    """The first 16 hex digits of a sha256 over the code's shape."""
    text = json.dumps(_shape(definition), default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shape(node: Any) -> Any:
    """A syntax tree as plain lists."""
    if isinstance(node, list):
        return [_shape(entry) for entry in node]
    if not isinstance(node, ast.AST):
        return node
    fields = {name: entry for name, entry in ast.iter_fields(node) if name not in ("ctx", "kind", "type_comment")}
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    if isinstance(node, ast.JoinedStr):  # some 3.12 releases end a format specification with an empty constant
        fields["values"] = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
    kept = sorted((name, _shape(entry)) for name, entry in fields.items() if entry is not None and entry != [])
    constant = [repr(node.value)] if isinstance(node, ast.Constant) else []
    return [type(node).__name__, *constant, *kept]


def _config_classes(sources: Sources) -> Iterator[tuple[str, str]]:
    """Every model's own ``*InferenceConfig`` and ``*NeuronConfig`` in NxDI's ``models``."""
    package = CONFIG.rpartition(".")[0]
    base = sources.path(CONFIG).parent
    for path in sorted(base.glob("*/modeling_*.py")):
        module = f"{package}.{path.parent.name}.{path.stem}"
        try:
            body = sources.tree(module).body
        except SURPRISES:
            continue
        for entry in body:
            if isinstance(entry, ast.ClassDef) and entry.name.endswith(("InferenceConfig", "NeuronConfig")):
                yield module, entry.name
