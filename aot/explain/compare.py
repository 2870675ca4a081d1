"""Two sides -> an explanation: causes with the fields folded under them, and what has no known cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aot.explain import origins
from aot.explain.experiment import Experiment, Laboratory, change_of
from aot.explain.inputs import CONFIG_JSON, ENVIRONMENT, FLAG, MODEL_PATH, TARGET, TOOLCHAIN, USAGE, Name, value_of
from aot.explain.resolve import Resolved, resolve_pair, upgraded
from aot.fingerprint.explain import ABSENT, Difference, differences, same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aot.explain.side import Side

    ProfileOf = Callable[[str], Mapping[str, Any] | None]

_STATED = {
    FLAG: "engine_args",
    ENVIRONMENT: "env",
    TARGET: "detected_platform",
    MODEL_PATH: "model_dir",
    CONFIG_JSON: "hf_config",
    USAGE: "usage_context",
    TOOLCHAIN: "toolchain",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A differing field; ``origin`` says whose work it is, ``also`` which other changed inputs have a say in it."""

    path: str
    left: Any
    right: Any
    origin: str
    change: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """An input that differs, or several that matter only together, with every field that follows from it.

    ``left`` and ``right`` are its values, objects by name where there are several. ``inferred``: a side that is a bare
    document does not state its inputs; these are the ones that give it.
    """

    origin: str
    name: str
    left: Any
    right: Any
    change: str
    fields: tuple[Field, ...]
    inferred: bool = False


@dataclass(frozen=True, slots=True)
class Outside:
    """Something that differs and that no fingerprint holds."""

    name: str
    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why two fingerprints differ; every differing field is in exactly one cause or in ``unattributed``.

    ``equal`` is None where nothing differs in what both sides show, but one of them shows only part of its document.
    """

    left: Resolved
    right: Resolved
    equal: bool | None
    causes: tuple[Cause, ...] = ()
    unattributed: tuple[Field, ...] = ()
    without_effect: tuple[str, ...] = ()
    outside: tuple[Outside, ...] = ()

    @property
    def count(self) -> int:
        """Differing fields."""
        return sum(len(cause.fields) for cause in self.causes) + len(self.unattributed)


def explain(left: Side, right: Side, profile_of: ProfileOf, default_toolchain: str) -> Explanation:
    """Compare two sides.

    Raises ``REFUSED_BY_SERVER`` or ``NOT_COVERED`` where a request has no fingerprint, ``EXPLAIN_INPUT`` where a log
    says too little.
    """
    return _explain(*resolve_pair(left, right, profile_of, default_toolchain), profile_of)


def explain_upgrade(side: Side, toolchain: str, profile_of: ProfileOf, default_toolchain: str) -> Explanation:
    """The same inputs under another toolchain. Raises as ``explain``."""
    return _explain(*upgraded(side, toolchain, profile_of, default_toolchain), profile_of)


def _equal(fields: Sequence[object], left: Resolved, right: Resolved) -> bool | None:
    if fields:
        return False
    return True if left.md5 and right.md5 else None


def _explain(left: Resolved, right: Resolved, profile_of: ProfileOf) -> Explanation:
    fields = differences(left.document, right.document)
    outside = tuple(_outside(left, right))
    if left.inputs is None or right.inputs is None:
        rest = tuple(_field(each, frozenset(), None, left, profile_of) for each in fields)
        return Explanation(left, right, _equal(fields, left, right), unattributed=rest, outside=outside)
    experiment = Experiment(Laboratory(profile_of), left.inputs, right.inputs)
    found = _folded(experiment.attribute(_computable(fields, left, right, profile_of)))
    groups: dict[frozenset[Name], list[Field]] = {}
    rest_fields: list[Field] = []
    for each in fields:
        names, partners = found.get(each.path, (frozenset(), frozenset()))
        field = _field(each, names, experiment, left, profile_of, partners)
        (groups.setdefault(names, []) if names else rest_fields).append(field)
    ordered = sorted(groups, key=lambda names: min(name.rank for name in names))
    return Explanation(
        left=left,
        right=right,
        equal=_equal(fields, left, right),
        causes=tuple(_cause(names, groups[names], experiment, left, right) for names in ordered),
        unattributed=tuple(rest_fields),
        without_effect=tuple(_without_effect(experiment, left, right)),
        outside=outside,
    )


def _folded(found: Mapping[str, frozenset[Name]]) -> dict[str, tuple[frozenset[Name], frozenset[Name]]]:
    """Path -> cause and its partners. A joint cause is folded under the part of it that is a cause by itself."""
    single = {name for names in found.values() if len(names) == 1 for name in names}
    folded = {}
    for path, names in found.items():
        own = sorted(names & single, key=lambda name: name.rank)[:1] if len(names) > 1 else []
        folded[path] = (frozenset(own), names - {*own}) if own else (names, frozenset())
    return folded


def _computable(
    fields: Sequence[Difference], left: Resolved, right: Resolved, profile_of: ProfileOf
) -> list[Difference]:
    """Those that the inputs reproduce on both sides: only for these is an experiment an explanation."""
    laboratory = Laboratory(profile_of)
    one = laboratory.document(left.inputs) if left.inputs else None
    other = laboratory.document(right.inputs) if right.inputs else None
    if one is None or other is None:
        return []
    computed = {each.path: each for each in differences(one, other)}
    return [
        each
        for each in fields
        if each.path in computed
        and same(computed[each.path].left, each.left)
        and same(computed[each.path].right, each.right)
    ]


def _field(
    each: Difference,
    names: frozenset[Name],
    experiment: Experiment | None,
    left: Resolved,
    profile_of: ProfileOf,
    partners: frozenset[Name] = frozenset(),
) -> Field:
    depends = {*experiment.depends(each.path), *partners} - names if experiment and names else set()
    also = sorted(depends, key=lambda name: name.rank)
    config_json = left.inputs.request.hf_config if left.inputs else {}
    profile = profile_of(left.inputs.toolchain) if left.inputs else None
    return Field(
        path=each.path,
        left=each.left,
        right=each.right,
        origin=origins.origin_of(each.path, profile, config_json),
        change=change_of(each, names),
        also=tuple(name.shown for name in also),
    )


def _cause(
    names: frozenset[Name], fields: list[Field], experiment: Experiment, left: Resolved, right: Resolved
) -> Cause:
    ordered = sorted(names, key=lambda name: name.rank)
    values = [{name.shown: value_of(flat, name) for name in ordered} for flat in (experiment.left, experiment.right)]
    one, other = values if len(ordered) > 1 else [next(iter(each.values())) for each in values]
    fields.sort(key=lambda field: (not (same(field.left, one) and same(field.right, other)), field.path))
    return Cause(
        origin=ordered[0].origin,
        name=" with ".join(name.shown for name in ordered),
        left=one,
        right=other,
        change="; ".join(dict.fromkeys(map(origins.advice, ordered))),
        fields=tuple(fields),
        inferred=any(_is_inferred(name, side) for name in ordered for side in (left, right)),
    )


def _is_inferred(name: Name, side: Resolved) -> bool:
    return not side.side.known.whole and getattr(side.side.known, _STATED[name.origin]) is None


def _without_effect(experiment: Experiment, left: Resolved, right: Resolved) -> list[str]:
    """Stated inputs that differ and do not matter; inferred ones would only be noise."""
    return [
        name.shown
        for name in experiment.without_effect()
        if not (_is_inferred(name, left) or _is_inferred(name, right))
    ]


def _outside(left: Resolved, right: Resolved) -> list[Outside]:
    """Facts that both sides state, or that one states and the other states to be absent."""
    one, other = left.side.outside, right.side.outside
    shared = [name for name in one if name in other]
    return [
        Outside(name, one.get(name, ABSENT), other.get(name, ABSENT))
        for name in shared
        if not same(one.get(name, ABSENT), other.get(name, ABSENT))
    ]
