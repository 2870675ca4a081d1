"""What is asked and what is answered: plain data on both sides."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aot.fingerprint.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

OPENAI_API_SERVER = "OPENAI_API_SERVER"
LLM_CLASS = "LLM_CLASS"


@dataclass(frozen=True, slots=True)
class FingerprintRequest:
    """One serving process.

    ``model_dir`` is the string given to vLLM as the model, which is hashed verbatim. ``hf_config`` is the parsed
    config.json. ``engine_args`` holds keyword arguments of vLLM's ``EngineArgs`` besides ``model`` (an absent key is a
    flag that was not given). ``env`` holds the variables of the process. ``detected_platform`` is what the device
    reports (``inf2``, ``trn1``, ``trn2``...), used where NEURON_PLATFORM_TARGET_OVERRIDE is not set.
    """

    model_dir: str
    hf_config: Mapping[str, Any]
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    detected_platform: str | None = None
    usage_context: str = OPENAI_API_SERVER


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The serve-time hash, the text it is the md5 of, and which classes upstream builds."""

    canonical_json: str
    architecture: str
    model_class: str
    config_class: str
    neuron_config_class: str

    @property
    def md5(self) -> str:
        """``hashlib.md5(config.to_json_string().encode("utf-8")).hexdigest()``, as the plugin's loader computes it."""
        return hashlib.md5(self.canonical_json.encode("utf-8"), usedforsecurity=False).hexdigest()

    @property
    def config(self) -> dict[str, Any]:
        """The canonical document as parsed plain data."""
        document: dict[str, Any] = json.loads(self.canonical_json)
        return document


_FIELDS: dict[str, tuple[type, str]] = {
    "model_dir": (str, "a string"),
    "hf_config": (dict, "an object: the contents of config.json"),
    "engine_args": (dict, "an object"),
    "env": (dict, "an object"),
    "usage_context": (str, "a string"),
}
_REQUIRED = ("model_dir", "hf_config")


def parse_request(document: Mapping[str, Any]) -> FingerprintRequest:
    """A request from its JSON form. Unknown fields are ignored: a vector carries its own answer.

    Raises InvalidRequest.
    """
    missing = [name for name in _REQUIRED if name not in document]
    if missing:
        raise InvalidRequest(f"the request lacks {', '.join(missing)}", "give model_dir and hf_config (see the README)")
    given: dict[str, Any] = {}
    for name, (expected, words) in _FIELDS.items():
        value = document.get(name)
        if value is None and name not in _REQUIRED:
            continue
        if not isinstance(value, expected):
            raise InvalidRequest(f"{name} is not {words}", "correct the field")
        given[name] = value
    platform = document.get("detected_platform")
    if platform is not None and not isinstance(platform, str):
        raise InvalidRequest("detected_platform is not a string", "give inf2, trn1, trn1n, trn2 or trn3")
    if any(not isinstance(value, str) for value in given.get("env", {}).values()):
        raise InvalidRequest("a value of env is not a string", "environment variables are strings: write them quoted")
    if given.get("usage_context", OPENAI_API_SERVER) not in (OPENAI_API_SERVER, LLM_CLASS):
        raise InvalidRequest("usage_context is unknown", f"give {OPENAI_API_SERVER} (vllm serve) or {LLM_CLASS}")
    return FingerprintRequest(**given, detected_platform=platform)
