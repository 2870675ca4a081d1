"""Sides -> documents: compute what a side only asks for, infer the inputs of what a side only shows."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aot.errors import AotError, ErrorId
from aot.explain.experiment import Laboratory
from aot.explain.inference import guess_toolchain, infer
from aot.explain.inputs import Inputs
from aot.fingerprint import FingerprintError, FingerprintRequest, NotCovered, canonical, compute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aot.explain.side import Side

    ProfileOf = Callable[[str], Mapping[str, Any] | None]

_INTEGER_KEYS = ("id2label", "pruned_heads")  # transformers keeps these as integers, which sort as numbers


@dataclass(frozen=True, slots=True)
class Resolved:
    """A side with its canonical document. ``inputs`` may fall short of the document (see ``inference``)."""

    side: Side
    document: Mapping[str, Any]
    md5: str | None
    inputs: Inputs | None
    toolchain: str | None


def resolve_pair(left: Side, right: Side, profile_of: ProfileOf, default: str) -> tuple[Resolved, Resolved]:
    """Both sides; the one that says less borrows from the other what it does not say."""
    if _says_less(left) > _says_less(right):
        second, first = resolve_pair(right, left, profile_of, default)
        return first, second
    first = resolve(left, None, profile_of, right.known.toolchain or default)
    return first, resolve(right, first, profile_of, default)


def upgraded(side: Side, toolchain: str, profile_of: ProfileOf, default: str) -> tuple[Resolved, Resolved]:
    """A side as it is, and what its inputs give under another toolchain."""
    now = resolve(side, None, profile_of, default)
    if now.inputs is None:
        raise _no_profile(side.label, now.toolchain)
    inputs = Inputs(now.inputs.request, toolchain)
    known = replace(side.known, toolchain=toolchain)
    later = replace(side, label=f"{side.label} under {toolchain}", document=None, md5=None, known=known)
    return now, _computed(later, inputs, profile_of)


def resolve(side: Side, other: Resolved | None, profile_of: ProfileOf, default: str) -> Resolved:
    """One side, with what ``other`` can lend."""
    if side.printed and side.document is None:
        return _overlaid(side, other, Laboratory(profile_of))
    base = other.inputs if other else None
    if side.document is None:
        return _computed(side, _asked(side, base, default), profile_of)
    profiles = {name: profile for name in _candidates(side, default, base) if (profile := profile_of(name))}
    toolchain = side.known.toolchain or guess_toolchain(side.document, profiles)
    inputs = None
    if toolchain is not None and profile_of(toolchain) is not None:
        inputs = infer(side.document, side.known, base, toolchain, Laboratory(profile_of))
    return Resolved(side, side.document, side.md5, inputs, toolchain)


def _says_less(side: Side) -> int:
    if side.known.whole:
        return 0
    return 1 if side.document is not None else 3 if side.printed else 2


def _candidates(side: Side, default: str, base: Inputs | None) -> list[str]:
    from aot import toolchain

    first = [name for name in (side.known.toolchain, base.toolchain if base else None, default) if name]
    return list(dict.fromkeys([*first, *toolchain.names()]))


def _asked(side: Side, base: Inputs | None, default: str) -> Inputs:
    """The inputs of a side that has no document."""
    known = side.known
    toolchain = known.toolchain or (base.toolchain if base else default)
    stated = {
        name: value
        for name in ("model_dir", "hf_config", "engine_args", "env", "detected_platform", "usage_context")
        if (value := getattr(known, name)) is not None
    }
    if known.whole:
        return Inputs(FingerprintRequest(**stated), toolchain)
    if base is None:
        raise _too_little(side)
    return Inputs(replace(base.request, **stated), toolchain)


def _computed(side: Side, inputs: Inputs, profile_of: ProfileOf) -> Resolved:
    profile = profile_of(inputs.toolchain)
    if profile is None:
        raise _no_profile(side.label, inputs.toolchain)
    try:
        answer = compute(inputs.request, profile)
    except FingerprintError as problem:
        covered = not isinstance(problem, NotCovered)
        raise AotError(
            ErrorId.REFUSED_BY_SERVER if covered else ErrorId.NOT_COVERED,
            reason=f"{side.label} has no fingerprint under {inputs.toolchain}: {problem.message}",
            remedy=problem.remedy or "correct the request",
        ) from problem
    return Resolved(side, answer.config, answer.md5, inputs, inputs.toolchain)


def _overlaid(side: Side, other: Resolved | None, lab: Laboratory) -> Resolved:
    """A log that prints some attributes: the inputs nearest to the other side's that give them."""
    if other is None or other.inputs is None or not isinstance(other.document.get("neuron_config"), dict):
        raise _too_little(side)
    known = frozenset(name for name in side.printed if _is_leaf(other.document["neuron_config"].get(name, {})))
    wanted = {**other.document, "neuron_config": {**other.document["neuron_config"], **_leaves(side, known)}}
    inputs = infer(wanted, side.known, other.inputs, other.inputs.toolchain, lab, only=known)
    document = copy.deepcopy(lab.document(inputs) or dict(other.document))
    document["neuron_config"].update(_leaves(side, known))
    return Resolved(side, document, None, inputs, inputs.toolchain)


def _leaves(side: Side, names: frozenset[str]) -> dict[str, Any]:
    return {name: side.printed[name] for name in names}


def _is_leaf(value: Any) -> bool:
    """The log prints arguments; only of plain values the attribute is the argument."""
    return not isinstance(value, dict)


def md5_of(document: Mapping[str, Any]) -> str | None:
    """The md5 of a document read back from JSON; None where it holds what upstream could not have written."""
    restored = dict(document)
    for name in _INTEGER_KEYS:
        table = restored.get(name)
        if isinstance(table, dict) and all(str(key).isdecimal() and len(str(key)) < 10 for key in table):
            restored[name] = {int(key): value for key, value in table.items()}
    try:
        text = canonical.to_text(restored)
    except (TypeError, ValueError, RecursionError, NotCovered):
        return None
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _too_little(side: Side) -> AotError:
    return AotError(
        ErrorId.EXPLAIN_INPUT,
        reason=f"{side.label} shows only some of the inputs, and the other side does not show the rest",
        remedy="compare it with a request, a plan, an artifact or a neuron_config.json",
    )


def _no_profile(label: str, toolchain: str | None) -> AotError:
    return AotError(
        ErrorId.NOT_COVERED,
        reason=f"{label}: there is no fingerprint profile for the toolchain {toolchain!r}",
        remedy="name another toolchain (--toolchain, --upgrade-to); `aot toolchain list` shows which are covered",
    )
