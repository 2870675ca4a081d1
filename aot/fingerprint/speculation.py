"""Stage 1, ``speculative_config``: what vLLM refuses in it, and what it accepts without reading another model.

Mirrors ``SpeculativeConfig`` (vLLM 0.13 / 0.16, config/speculative.py). The plugin's own serving path would pass the
accepted ones on to NxDI; the hash is that of the path without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint.coercion import as_int
from aot.fingerprint.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODEL_FREE = ("ngram", "[ngram]")  # in place of a model; as a method only the first is known
_NEED_A_MODEL = (None, "eagle", "eagle3", "medusa", "mlp_speculator")
_OTHERS = ("ngram", "draft_model", "suffix")
_READ = frozenset({"method", "model", "num_speculative_tokens", "prompt_lookup_max", "prompt_lookup_min"})
_LEAST_BATCH = 2


def is_harmless(config: Any) -> bool:
    """Whether vLLM accepts the value without an effect on the hash; False where that is not known.

    Raises Refused where vLLM refuses, whatever the pod holds.
    """
    if config is None:
        return True
    if not isinstance(config, dict):
        raise Refused("speculative_config is not an object", "give it as a JSON object, or leave it out")
    method, model = config.get("method"), config.get("model")
    _check_method(method, model)
    if method is None and model in _MODEL_FREE:
        method = "ngram"
    if config.get("num_speculative_tokens") is not None:
        _positive("num_speculative_tokens", config["num_speculative_tokens"])
        if model is None and method in _NEED_A_MODEL:
            raise Refused("speculative_config names no draft model", "give model, or method ngram")
    elif method == "ngram" or (model is None and method in _NEED_A_MODEL):
        raise Refused("speculative_config lacks num_speculative_tokens", "give num_speculative_tokens")
    if method != "ngram":
        return False
    _check_window(config)
    return (model is None or isinstance(model, str)) and all(
        name in _READ or _has_no_effect(name, value) for name, value in config.items()
    )


def _check_method(method: Any, model: Any) -> None:
    """The method is one vLLM knows, and none of the model types in aot's rules predicts several tokens itself."""
    known = method in _NEED_A_MODEL or method in _OTHERS or (isinstance(method, str) and method.endswith("mtp"))
    if not known:
        raise Refused(f"vLLM has no speculative method {method!r}", "use ngram, or leave speculative_config out")
    if method == "mtp" and model is None:
        raise Refused("speculative method mtp: the model has no such layers", "use ngram, or name a draft model")


def _has_no_effect(name: str, value: Any) -> bool:
    if name == "disable_by_batch_size":
        return type(value) is int and value >= _LEAST_BATCH
    return name in ("disable_padded_drafter_batch", "enforce_eager") and isinstance(value, bool)


def _check_window(config: Mapping[str, Any]) -> None:
    """The lengths looked up in the prompt; one that is not given equals the other."""
    given = {
        name: _positive(name, config[name])
        for name in ("prompt_lookup_min", "prompt_lookup_max")
        if config.get(name) is not None
    }
    least, most = given.get("prompt_lookup_min"), given.get("prompt_lookup_max")
    if least is not None and most is not None and least > most:
        raise Refused(f"prompt_lookup_min {least} is greater than prompt_lookup_max {most}", "correct them")


def _positive(name: str, value: Any) -> int:
    number = as_int(name, value)
    if number < 1:
        raise Refused(f"{name} {number} in speculative_config is not positive", "give 1 or more")
    return number
