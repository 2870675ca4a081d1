"""Stage 1, ``quantization``: which method vLLM accepts for a checkpoint. The method itself does not enter the hash.

Mirrors vLLM 0.13 / 0.16: ``VllmConfig._get_quantization_config`` (config/vllm.py), ``get_quant_config``
(model_loader/weight_utils.py) and ``from_config`` of the method's own class (layers/quantization/). The plugin skips
``_verify_quantization``, so the method need not be the one that the checkpoint declares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WITHOUT_CHECKPOINT = ("gguf", "inc")  # these never read the model's parameters
_GPTQ_BITS = (2, 3, 4, 8)
_AWQ_BITS = 4


def is_open(given: Any, config: Mapping[str, Any], dtype: str, engine: Mapping[str, Any]) -> bool:
    """True where the answer hangs on a method's reading of the model's parameters that is not modelled.

    Raises Refused for an unknown method, for one that has no default configuration while the model declares no
    parameters, for parameters that the method does not take, and for a dtype that it does not support.
    """
    if given is None:
        return False
    methods: Mapping[str, list[str]] = engine["quantization_methods"]
    method = given.lower() if isinstance(given, str) else given
    if method not in methods:
        raise Refused(f"vLLM has no quantization method {given!r}", "leave quantization out")
    declared = config.get("quantization_config")
    declared = config.get("compression_config") if declared is None else declared
    supported = methods[method]
    if declared is not None and method not in _WITHOUT_CHECKPOINT:
        if method not in _READERS:
            return True
        read, supported = _READERS[method]
        read(declared)
    if dtype not in supported:
        raise Refused(
            f"vLLM refuses quantization {method!r} with {dtype} for this checkpoint",
            "leave quantization out; on Neuron it is an override of NeuronConfig",
        )
    return False


def _value(declared: Mapping[str, Any], *names: str) -> Any:
    """``get_from_keys``: the first of the names that is there."""
    for name in names:
        if name in declared:
            return declared[name]
    raise Refused(f"quantization_config in config.json lacks {' or '.join(names)}", "leave quantization out")


def _awq(declared: Mapping[str, Any]) -> None:
    bits = _value(declared, "w_bit", "bits")
    _value(declared, "q_group_size", "group_size"), _value(declared, "zero_point")
    if bits != _AWQ_BITS:
        raise Refused(f"vLLM's awq takes 4 bits, not {bits}", "leave quantization out")


def _gptq(declared: Mapping[str, Any]) -> None:
    bits = _value(declared, "bits")
    _value(declared, "group_size"), _value(declared, "desc_act")
    if bits not in _GPTQ_BITS:
        raise Refused(f"vLLM's gptq takes 2, 3, 4 or 8 bits, not {bits}", "leave quantization out")


def _fp8(declared: Mapping[str, Any]) -> None:
    serialised = "fp8" in _value(declared, "quant_method")
    scheme, blocks = _value(declared, "activation_scheme"), declared.get("weight_block_size")
    by_block = serialised and scheme == "dynamic" and blocks is not None and len(blocks) == 2
    if scheme not in ("static", "dynamic") or (blocks is not None and not by_block):
        raise Refused("vLLM's fp8 does not take the quantization_config of config.json", "leave quantization out")


def _anything(declared: Mapping[str, Any]) -> None:
    del declared


_READERS: dict[str, tuple[Callable[[Mapping[str, Any]], None], list[str]]] = {
    "awq": (_awq, ["float16"]),
    "gptq": (_gptq, ["float16"]),
    "fp8": (_fp8, ["bfloat16", "float16"]),
    "mxfp4": (_anything, ["bfloat16"]),
    "bitsandbytes": (_anything, ["bfloat16", "float16", "float32"]),
}
