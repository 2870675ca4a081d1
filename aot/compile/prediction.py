"""Which known failures a request is likely to meet, said before a container starts.

A table of rules over plain data. Nothing here is a verdict: every risk is "suspected", with its confidence and reason.
Which releases and targets a risk concerns is data of the catalogue (``manifests/known_errors``), not of this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from aot import parameters, sizing
from aot.compile.known_errors import KnownError, catalogue
from aot.compile.remedies import applied_by_build
from aot.compile.topk import Logits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aot.parameters import Shape
    from aot.request import ServeOptions, Target
    from aot.toolchain import Toolchain

DEFAULT_NUM_SEQS = 256
"""vLLM's ``max_num_seqs`` on this platform when the flag is not given."""


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """``error`` is an id of the catalogue; ``remedy`` what ``aot build`` applies by itself if it happens."""

    error: str
    confidence: Literal["documented", "reported", "inference"]
    why: str
    verdict: Literal["suspected"] = "suspected"
    remedy: str | None = None
    workaround: str | None = None
    link: str | None = None
    numbers: dict[str, int] = {}


@dataclass(frozen=True)
class _Case:
    """What the rules look at."""

    config: Mapping[str, Any]
    options: ServeOptions
    target: Target
    lnc: int
    model_id: str
    shape: Shape | None

    @property
    def model_type(self) -> str:
        return str(parameters.text_config(self.config).get("model_type"))

    @property
    def degree(self) -> int:
        return self.options.tensor_parallel_size or 1

    @property
    def sequences(self) -> int:
        return self.options.max_num_seqs or DEFAULT_NUM_SEQS

    @property
    def override(self) -> Mapping[str, Any]:
        found = (self.options.additional_config or {}).get("override_neuron_config")
        return found if isinstance(found, dict) else {}

    @property
    def samples_on_device(self) -> bool:
        """The plugin's default; an explicit null switches it off (plugin 0.4.1 ``_get_default_neuron_config``)."""
        return self.override.get("on_device_sampling_config", True) is not None


@dataclass(frozen=True)
class _Finding:
    """``confidence`` None means: as sure as the catalogue's entry."""

    why: str
    numbers: Mapping[str, int]
    confidence: Literal["documented", "reported", "inference"] | None = None


def risks(
    config: Mapping[str, Any],
    options: ServeOptions,
    target: Target,
    toolchain: Toolchain,
    lnc: int,
    model_id: str = "",
) -> list[Risk]:
    """The risks of a request, in the order of the table; ``config`` is the HF config, ``lnc`` ``sizing.logical_nc``."""
    case = _Case(config, options, target, lnc, model_id, parameters.shape_of(config))
    entries = {entry.id: entry for entry in catalogue()}
    found: list[Risk] = []
    for rule in _RULES:
        entry = entries[rule.error]
        if (entry.targets and target not in entry.targets) or (rule.by_release and not _concerns(entry, toolchain.sdk)):
            continue
        finding = rule.test(case)
        if finding is not None:
            found.append(_risk(entry, finding))
    return found


def warnings(config: Mapping[str, Any], options: ServeOptions, target: Target, lnc: int) -> list[str]:
    """What is odd about the degree without being a known failure, each with how sure we are."""
    degree, shape = options.tensor_parallel_size, parameters.shape_of(config)
    found: list[str] = []
    if degree is None:
        return found
    if shape is not None and shape.heads % degree:
        found.append(
            f"TP {degree} does not divide the {shape.heads} attention heads: they are padded from {shape.heads} to"
            f" {sizing.padded_heads(shape, degree)}, which costs memory and time (NxDI's source; not measured)"
        )
    if degree not in sizing.degrees(target, lnc):
        offered = ", ".join(map(str, sizing.degrees(target, lnc)))
        found.append(
            f"no {target} instance type is documented with a group of {degree} cores (documented: {offered}); whether"
            " the runtime takes one is not known"
        )
    return found


def _risk(entry: KnownError, finding: _Finding) -> Risk:
    remedy = applied_by_build(entry.id)
    return Risk(
        error=entry.id,
        confidence=finding.confidence or entry.confidence,
        why=finding.why,
        remedy=remedy.id if remedy else None,
        workaround=entry.workaround,
        link=entry.link,
        numbers=dict(finding.numbers),
    )


def _concerns(entry: KnownError, sdk: str) -> bool:
    return (entry.sdk_first is None or _version(sdk) >= _version(entry.sdk_first)) and (
        entry.sdk_fixed is None or _version(sdk) < _version(entry.sdk_fixed)
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


# --- rules ---


def logits_of(config: Mapping[str, Any], options: ServeOptions) -> Logits | None:
    """The operand of the first top-k of a request, None where the config has no vocabulary or nothing is sampled."""
    case = _Case(config, options, "inf2", 1, "", parameters.shape_of(config))
    if case.shape is None or not case.samples_on_device:
        return None
    return Logits(case.sequences, case.shape.vocabulary, case.degree)


def _topk_remainder(case: _Case) -> _Finding | None:
    logits = logits_of(case.config, case.options)
    if logits is None:
        return None
    flattened, whole, context = logits.flattened, logits.whole, logits.context
    if not (flattened.suspicious or whole.suspicious or context.suspicious):
        return None
    numbers = {
        "vocabulary": logits.vocabulary,
        "tensor_parallel_size": logits.tensor_parallel,
        "batch": logits.batch,
        "flattened_elements": flattened.elements,
        "flattened_tiles": flattened.tiles,
        "flattened_remainder": flattened.shortfall,
        "context_remainder": context.shortfall,
        "vocabulary_tiles": whole.tiles,
        "vocabulary_remainder": whole.shortfall,
    }
    both = whole.suspicious and (flattened.suspicious or context.suspicious)
    reading = "under both readings" if both else "under one of two readings"
    why = (
        f"the top-k of on-device sampling sees {logits} logits per core; cut as the compiler seems to, {reading} a"
        f" remainder of 1 to 7 elements is left, fewer than its instruction takes. Batch x vocabulary / TP:"
        f" {flattened} (context encoding, batch 1: {context}); vocabulary: {whole}."
        f" Suspected only: Qwen2.5-7B, vocabulary 152064, is reported to compile"
    )
    return _Finding(why, numbers, "inference")


def _prefix_caching(case: _Case) -> _Finding | None:
    if case.options.enable_prefix_caching is False:
        return None
    how = "is on" if case.options.enable_prefix_caching else "is not switched off, and vLLM's default is on"
    return _Finding(f"prefix caching {how}; every model tried on trn1 with SDK 2.28 crashed the compiler with it", {})


_SMALL_MODELS = (
    # name as in the report, then the shape: model_type, hidden size, layers, vocabulary
    ("Qwen2.5-1.5B", ("qwen2", 1536, 28, 151936)),
    ("Llama-3.2-1B", ("llama", 2048, 16, 128256)),
)


def _small_models(case: _Case) -> _Finding | None:
    shape = case.shape
    for name, like in _SMALL_MODELS:
        found = shape and (case.model_type, shape.hidden, shape.layers, shape.vocabulary) == like
        if found or name.casefold() in case.model_id.casefold():
            return _Finding(f"this is {name} or a model of its shape, reported not to compile on inf2", {})
    return None


def _qwen_sampling(case: _Case) -> _Finding | None:
    if case.model_type not in {"qwen2", "qwen3"} or case.degree != 2 or case.sequences < 2:
        return None
    if not case.samples_on_device:
        return None
    why = (
        f"{case.model_type} at TP 2 with {case.sequences} sequences and on-device sampling is reported to give garbage"
    )
    return _Finding(why, {"batch": case.sequences, "tensor_parallel_size": 2})


def _lnc(case: _Case) -> _Finding | None:
    if case.lnc == 1:
        return None
    why = f"{case.lnc} physical cores per logical core are asked for, and {case.target} has only 1"
    return _Finding(why, {"logical_nc_config": case.lnc})


def _memory(case: _Case) -> _Finding | None:
    found = sizing.estimate(case.config, case.options, case.target, case.lnc)
    if found is None or found.fits:
        return None
    numbers = {"per_core_bytes": found.per_core_bytes, "core_memory_bytes": found.core_memory_bytes}
    return _Finding(f"{found.summary()}; formula: {found.formula}", numbers, "inference")


@dataclass(frozen=True)
class _Rule:
    """``by_release``: only where the catalogue's entry concerns the toolchain's SDK."""

    error: str
    test: Callable[[_Case], _Finding | None]
    by_release: bool = False


_RULES = (
    _Rule("NCC_IXCG856", _topk_remainder),
    _Rule("NCC_ITEN404-SimplifyNeuronTensor", _prefix_caching, by_release=True),
    _Rule("REPORTED-INF2-SMALL-MODELS", _small_models, by_release=True),
    _Rule("REPORTED-QWEN-TP2-GARBAGE", _qwen_sampling),
    _Rule("NCC_EARG001", _lnc),
    _Rule("NCC_EOOM001", _memory),
)
