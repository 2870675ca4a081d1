"""Stage 1, the other flags: fields of ``EngineArgs`` that do not enter the hash but can make vLLM refuse.

Mirrors the field declarations of vLLM's configuration dataclasses (pydantic, lax mode). The table of names, types,
bounds and choices is data in the profile, captured from the release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint import speculation
from aot.fingerprint.coercion import as_bool, as_float, as_int, as_str
from aot.fingerprint.errors import InvalidRequest, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DEFAULTS: dict[str, Any] = {
    "tensor_parallel_size": 1,
    "pipeline_parallel_size": 1,
    "data_parallel_size": 1,
    "enable_expert_parallel": False,
    "quantization": None,
    "trust_remote_code": False,
    "decode_context_parallel_size": 1,
    "max_model_len": None,
    "max_num_seqs": None,
    "max_num_batched_tokens": None,
    "enable_chunked_prefill": None,
    "enable_prefix_caching": None,
    "block_size": None,
    "num_gpu_blocks_override": None,
    "dtype": "auto",
    "hf_overrides": {},
    "additional_config": {},
    "speculative_config": None,
}
"""Fields that other rules read, with the default of ``EngineArgs``; their values are checked where they are used."""


def checked(given: Mapping[str, Any], engine: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The fields that matter, defaults filled in, and the names of given ones whose effect is not modelled.

    Raises where vLLM would refuse one of the others.
    """
    fields: Mapping[str, Mapping[str, Any]] = engine["fields"]
    uncovered: list[str] = []
    for name, value in given.items():
        if name == "model":
            raise InvalidRequest("engine_args holds model", "give the model as model_dir")
        if name not in fields:
            raise Refused(f"this release of vLLM has no argument {name!r}", "remove it")
        if name not in _DEFAULTS and not _is_harmless(name, value, fields[name]):
            uncovered.append(name)
    if not speculation.is_harmless(given.get("speculative_config")):
        uncovered.append("speculative_config")
    return {**_DEFAULTS, **{name: given[name] for name in _DEFAULTS.keys() & given.keys()}}, uncovered


def _is_harmless(name: str, value: Any, field: Mapping[str, Any]) -> bool:
    """Whether vLLM accepts the value without an effect on the hash; False where that is not known."""
    kind = field["type"]
    if kind == "any" or any(value == one and type(value) is type(one) for one in field.get("neutral", ())):
        return True
    if value is None:
        if field.get("nullable"):
            return True
        raise Refused(f"{name} may not be null: vLLM refuses it", f"leave {name} out")
    if kind == "uncovered":
        return False
    read = _READERS[kind](name, value, field)
    if read in field.get("refused", ()):
        raise Refused(f"{name} {value!r} is refused by vLLM on Neuron", f"leave {name} out")
    if isinstance(read, dict) and _all_accepted(read, field.get("accepted", {})):
        return True
    return not field.get("effect_unknown") and read not in field.get("uncovered", ())


def _all_accepted(value: Mapping[str, Any], accepted: Mapping[str, list[Any]]) -> bool:
    """Whether every key of a nested object has one of the values that were seen to be without an effect."""
    return all(
        any(item == one and type(item) is type(one) for one in accepted.get(key, ())) for key, item in value.items()
    )


def _number(read: Callable[[str, Any], Any]) -> Callable[[str, Any, Mapping[str, Any]], Any]:
    """A reader that also checks the bounds of the field."""

    def bounded(name: str, value: Any, field: Mapping[str, Any]) -> Any:
        number = read(name, value)
        outside = (
            ("minimum" in field and number < field["minimum"])
            or ("maximum" in field and number > field["maximum"])
            or ("above" in field and not number > field["above"])
        )
        if outside:
            raise Refused(f"{name} {number!r} is out of the range vLLM accepts", f"correct {name}")
        return number

    return bounded


def _choice(name: str, value: Any, field: Mapping[str, Any]) -> Any:
    if value in field["choices"]:
        return value
    raise Refused(f"{name} {value!r} is none of vLLM's choices", f"use one of {', '.join(map(str, field['choices']))}")


def _only(name: str, value: Any, field: Mapping[str, Any]) -> Any:
    if value == field["value"]:
        return value
    raise Refused(f"vLLM supports no {name} other than {field['value']}", f"leave {name} out")


def _never(name: str, value: Any, field: Mapping[str, Any]) -> Any:
    del value, field
    raise Refused(f"vLLM refuses {name} here", f"leave {name} out")


def _of_type(*types: type, items: type | None = None) -> Callable[[str, Any, Mapping[str, Any]], Any]:
    """A reader for values that pydantic takes as they are; ``items`` is the type of a list's elements."""

    def read(name: str, value: Any, _: Mapping[str, Any]) -> Any:
        of_items = items is not None and isinstance(value, list) and all(isinstance(item, items) for item in value)
        if of_items or isinstance(value, types):
            return value
        raise Refused(f"{name} {value!r} has a type vLLM refuses", f"correct {name}")

    return read


_READERS: dict[str, Callable[[str, Any, Mapping[str, Any]], Any]] = {
    "int": _number(as_int),
    "float": _number(as_float),
    "bool": _number(as_bool),
    "str": _number(as_str),
    "bool or str": _of_type(bool, str),
    "str or list of str": _of_type(str, items=str),
    "list of str": _of_type(items=str),
    "object": _of_type(dict),
    "choice": _choice,
    "only": _only,
    "refused": _never,
}
TYPES = frozenset(_READERS) | {"any", "uncovered"}
"""Types that a field in the profile may have."""
