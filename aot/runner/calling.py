"""Call upstream functions whose parameters differ between releases, by asking the function and not its version."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any

from .failures import RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable


def call(function: Callable[..., Any], **available: Any) -> Any:
    """Call with those of ``available`` that the function names; a required parameter we do not know is an error.

    Example: plugin 0.2.x has ``_validate_neuron_config(cache_config, scheduler_config, neuron_config)``; 0.4.1 added
    ``model_config`` before the last.
    """
    parameters = inspect.signature(function).parameters
    unknown = [
        name
        for name, parameter in parameters.items()
        if name not in available
        and parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if unknown:
        name = getattr(function, "__name__", repr(function))
        raise RunnerError("environment", f"{name} of this image wants {unknown}, which this runner does not know")
    return function(**{name: value for name, value in available.items() if name in parameters})


def has_field(dataclass: type, name: str) -> bool:
    """Whether a dataclass takes ``name`` (``EngineArgs`` loses and gains fields between vLLM releases)."""
    return any(field.name == name and field.init for field in dataclasses.fields(dataclass))
