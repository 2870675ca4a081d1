"""Which inputs give a canonical document: a guess that is proven, field by field, by computing the document again.

A ``neuron_config.json`` or a printed configuration says what the server was configured to, not by which flags. Going
back needs no table of NxDI's rules: change the few inputs that are read off directly, compute, and look at what still
differs. What cannot be reproduced stays a difference that is told by field.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aot.explain.inputs import (
    ADDITIONAL,
    CONFIG_JSON,
    ENVIRONMENT,
    FLAG,
    OVERRIDE,
    TARGET,
    Flat,
    Inputs,
    Name,
    flatten,
    unflatten,
)
from aot.fingerprint import FingerprintRequest
from aot.fingerprint.explain import differences, same
from aot.fingerprint.platform import LOGICAL_CORES, TARGET_OVERRIDE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.explain.experiment import Laboratory
    from aot.explain.inputs import Known

_NOT_IN_CONFIG_JSON = {"neuron_config", "fused_spec_config", "metadata", "attribute_map", "_name_or_path", "dtype"}
_READ_OFF = {
    "tp_degree": "tensor_parallel_size",
    "seq_len": "max_model_len",
    "batch_size": "max_num_seqs",
    "torch_dtype": "dtype",
    "is_prefix_caching": "enable_prefix_caching",
}
"""NeuronConfig attribute -> the flag whose value it is (vllm-neuron 0.4.1, ``_get_default_neuron_config``)."""
_ALONE = 60
"""Differing attributes that are tried one by one."""


def guess_toolchain(document: Mapping[str, Any], profiles: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The release whose NeuronConfig attributes the document has; None where it has none of them."""
    neuron = document.get("neuron_config")
    own = set(neuron) if isinstance(neuron, dict) else set()
    fitting = {name: len(own ^ set(profile["neuron_config"]["defaults"])) for name, profile in profiles.items()}
    common = {name: own & set(profile["neuron_config"]["defaults"]) for name, profile in profiles.items()}
    likely = [name for name in fitting if common[name]]
    return min(likely, key=lambda name: fitting[name]) if likely else None


def infer(
    document: Mapping[str, Any],
    known: Known,
    base: Inputs | None,
    toolchain: str,
    lab: Laboratory,
    only: frozenset[str] | None = None,
) -> Inputs:
    """The inputs that come closest to ``document``: what is known, then those of ``base``, then what it says itself.

    ``only``: the attributes of NeuronConfig that ``document`` vouches for, None for all of it.
    """
    start = _start(document, known, base, toolchain)
    search = _Search(document, start, lab, only)
    if known.hf_config is None and only is None:
        search.try_all(_config_json(document, search))
    if known.engine_args is None:
        search.infer_flags()
    if known.detected_platform is None:
        search.infer_platform()
    if known.engine_args is None:
        search.infer_overrides()
    return unflatten(search.flat)


def _start(document: Mapping[str, Any], known: Known, base: Inputs | None, toolchain: str) -> Flat:
    neuron = document.get("neuron_config")
    declared = neuron.get("torch_dtype") if isinstance(neuron, dict) else None
    own = {key: value for key, value in document.items() if key not in _NOT_IN_CONFIG_JSON}
    if "dtype" not in document:  # a null there says that config.json has none; otherwise NxDI drops it
        own["torch_dtype"] = declared
    request = base.request if base else FingerprintRequest(model_dir="", hf_config=own)
    if own.get("model_type") != request.hf_config.get("model_type"):
        request = replace(request, hf_config=own)
    stated: dict[str, Any] = {
        name: value
        for name in ("model_dir", "hf_config", "engine_args", "env", "detected_platform", "usage_context")
        if (value := getattr(known, name)) is not None
    }
    stated.setdefault("model_dir", str(document.get("_name_or_path", "")))
    if known.detected_platform is not None and known.env is not None and TARGET_OVERRIDE not in known.env:
        stated["env"] = known.env
    request = replace(request, **stated)
    if request.detected_platform is None and TARGET_OVERRIDE not in request.env:
        request = replace(request, detected_platform="inf2")
    return flatten(Inputs(request, toolchain))


def _config_json(document: Mapping[str, Any], search: _Search) -> Flat:
    """config.json keys as the document has them, wherever it differs from what the present ones give."""
    changed = dict(search.flat)
    computed = search.computed
    for key in {*document, *(computed or {})} - _NOT_IN_CONFIG_JSON:
        if computed is not None and key in computed and key in document and same(computed[key], document[key]):
            continue
        if key in document:
            changed[Name(CONFIG_JSON, key)] = document[key]
        else:
            changed.pop(Name(CONFIG_JSON, key), None)
    if "dtype" in document:  # only where config.json declares none: transformers then writes null
        changed.pop(Name(CONFIG_JSON, "torch_dtype"), None)
        changed.pop(Name(CONFIG_JSON, "dtype"), None)
    return changed


class _Search:
    """The inputs found so far, what they compute to, and how many fields still differ."""

    def __init__(self, document: Mapping[str, Any], flat: Flat, lab: Laboratory, only: frozenset[str] | None) -> None:
        self._document, self._lab, self._only = document, lab, only
        neuron = document.get("neuron_config")
        self._neuron: Mapping[str, Any] = neuron if isinstance(neuron, dict) else {}
        self.flat = flat
        self.computed = lab.document(unflatten(flat))

    def try_all(self, flat: Flat) -> bool:
        """Take ``flat`` if it computes, and comes closer."""
        computed = self._lab.document(unflatten(flat))
        if computed is None or self._distance(computed) >= self._distance(self.computed):
            return False
        self.flat, self.computed = flat, computed
        return True

    def infer_flags(self) -> None:
        """The flags that are read off, all at once: some are refused one by one."""
        flat = dict(self.flat)
        wrong = self._wrong()
        for attribute, flag in _READ_OFF.items():
            if attribute in self._neuron and (attribute in wrong or self.computed is None):
                flat[Name(FLAG, flag)] = self._neuron[attribute]
        caching = bool(self._neuron.get("is_prefix_caching"))
        if caching and "pa_block_size" in self._neuron:
            flat[Name(FLAG, "block_size")] = self._neuron["pa_block_size"]
        self.try_all(flat)
        blocks = self._neuron.get("pa_num_blocks")
        if ("pa_num_blocks" in self._wrong() or self.computed is None) and type(blocks) is int:
            self.try_all({**flat, Name(FLAG, "num_gpu_blocks_override"): blocks - 1})  # the plugin adds a null block

    def infer_platform(self) -> None:
        """Another device, then another number of logical cores, where these do not fit."""
        if "logical_nc_config" not in self._wrong():
            return
        flat = {name: value for name, value in self.flat.items() if name != Name(ENVIRONMENT, TARGET_OVERRIDE)}
        cores = self._neuron.get("logical_nc_config")
        if self.try_all({**flat, Name(TARGET, "target"): "trn2" if cores == 2 else "inf2"}):
            return
        self.try_all({**self.flat, Name(ENVIRONMENT, LOGICAL_CORES): str(cores)})

    def infer_overrides(self) -> None:
        """Everything else that NeuronConfig has and nothing explains: as if it were in ``override_neuron_config``."""
        wrong = [name for name in self._wrong() if name in self._neuron]
        flat = {**self.flat, **{self._override(name): self._neuron[name] for name in wrong}}
        if not wrong or len(wrong) > _ALONE:
            return
        before = dict(self.flat)
        if not self.try_all(flat):
            for name in wrong:
                self.try_all({**self.flat, self._override(name): self._neuron[name]})
        self._drop_spare(before)

    def _drop_spare(self, before: Flat) -> None:
        """Overrides that follow from the others are no inputs."""
        for name in [name for name in self.flat if name not in before]:
            fewer = {key: value for key, value in self.flat.items() if key != name}
            computed = self._lab.document(unflatten(fewer))
            if computed is not None and self._distance(computed) <= self._distance(self.computed):
                self.flat, self.computed = fewer, computed

    def _override(self, attribute: str) -> Name:
        return Name(FLAG, f"{ADDITIONAL}.{OVERRIDE}.{attribute}")

    def _wrong(self) -> list[str]:
        """Attributes of NeuronConfig that differ from what the present inputs give."""
        if self.computed is None:
            return []
        present = self.computed["neuron_config"]
        return [name for name in self._asked(present) if not same(present.get(name), self._neuron.get(name))]

    def _asked(self, present: Mapping[str, Any]) -> set[str]:
        return {*present, *self._neuron} if self._only is None else {*self._only}

    def _distance(self, computed: Mapping[str, Any] | None) -> float:
        if computed is None:
            return float("inf")
        if self._only is not None:
            return sum(not same(computed["neuron_config"].get(name), self._neuron.get(name)) for name in self._only)
        return len(differences(computed, self._document))
