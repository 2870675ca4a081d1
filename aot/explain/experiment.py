"""Attribution by experiment: exchange one input at a time and see which fields of the canonical document change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.explain.inputs import TOOLCHAIN, Flat, Inputs, Name, exchange, flatten, unflatten, value_of
from aot.fingerprint import FingerprintError, compute
from aot.fingerprint.explain import ABSENT, differences, same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aot.fingerprint.explain import Difference

_PER_FIELD = 40
"""Fields for which a joint cause is narrowed down one by one; beyond that they share one."""


class Laboratory:
    """Computes documents of exchanged inputs; one that the server would refuse has none."""

    def __init__(self, profile_of: Callable[[str], Mapping[str, Any] | None]) -> None:
        self._profile_of = profile_of

    def document(self, inputs: Inputs) -> dict[str, Any] | None:
        """The canonical document, or None where upstream refuses or aot's rules do not reach."""
        profile = self._profile_of(inputs.toolchain)
        if profile is None:
            return None
        try:
            return compute(inputs.request, profile).config
        except FingerprintError:
            return None


class Experiment:
    """Two sets of inputs and the fields in which what they compute to differs."""

    def __init__(self, laboratory: Laboratory, left: Inputs, right: Inputs) -> None:
        self._laboratory = laboratory
        self.left, self.right = flatten(left), flatten(right)
        changed = [
            name
            for name in {*self.left, *self.right}
            if not same(value_of(self.left, name), value_of(self.right, name))
        ]
        self.changed: list[Name] = sorted(changed, key=lambda name: name.rank)
        self._starts = (laboratory.document(left), laboratory.document(right))
        self._seen: dict[tuple[bool, frozenset[Name]], dict[str, Any] | None] = {}
        self._forward = {name: self._effect(frozenset({name}), backward=False) for name in self.changed}
        self._backward = {name: self._effect(frozenset({name}), backward=True) for name in self.changed}

    def attribute(self, fields: Sequence[Difference]) -> dict[str, frozenset[Name]]:
        """Path of a field -> the input that caused it, or the smallest set found that causes it together."""
        found: dict[str, frozenset[Name]] = {}
        for each in fields:
            single = self._single(each)
            if single is not None:
                found[each.path] = frozenset({single})
        rest = [each for each in fields if each.path not in found]
        if rest and self.changed:
            found |= self._together(rest)
        return found

    def depends(self, path: str) -> list[Name]:
        """Every changed input that has a say in a field."""
        return [name for name in self.changed if path in self._forward[name] or path in self._backward[name]]

    def without_effect(self) -> list[Name]:
        """Changed inputs that change no field, whichever side they are tried on."""
        return [name for name in self.changed if not self._tried_effect(name)]

    def _tried_effect(self, name: Name) -> bool:
        """A refusal is no proof of having no effect."""
        tried = [self._at(frozenset({name}), backward=backward) for backward in (False, True)]
        return bool(self._forward[name] or self._backward[name]) or None in tried

    def _single(self, field: Difference) -> Name | None:
        """The input that alone turns left into right; else right into left; else the first that touches the field."""
        for effects, wanted in ((self._forward, field.right), (self._backward, field.left)):
            for name in self.changed:
                if field.path in effects[name] and same(effects[name][field.path], wanted):
                    return name
        return None

    def _together(self, fields: Sequence[Difference]) -> dict[str, frozenset[Name]]:
        """Fields that no single input explains: interactions, and steps that are refused when taken alone."""
        everything = frozenset(self.changed)
        if not self._explains(everything, fields):
            fields = [each for each in fields if self._explains(everything, [each])]
        if not fields:
            return {}
        needed = self._smallest(everything, fields)
        if len(needed) == 1 or len(fields) > _PER_FIELD:
            return dict.fromkeys((each.path for each in fields), needed)
        return {each.path: self._smallest(needed, [each]) for each in fields}

    def _smallest(self, names: frozenset[Name], fields: Sequence[Difference]) -> frozenset[Name]:
        """Drop the least likely inputs first, as long as the rest still explains the fields."""
        for name in sorted(names, key=lambda each: each.rank, reverse=True):
            fewer = names - {name}
            if fewer and self._explains(fewer, fields):
                names = fewer
        return names

    def _explains(self, names: frozenset[Name], fields: Sequence[Difference]) -> bool:
        effect = self._effect(names, backward=False)
        return all(each.path in effect and same(effect[each.path], each.right) for each in fields)

    def _effect(self, names: frozenset[Name], *, backward: bool) -> dict[str, Any]:
        """Fields that change when ``names`` are exchanged, with their new value."""
        start, document = self._starts[backward], self._at(names, backward=backward)
        if start is None or document is None:
            return {}
        return {each.path: each.right for each in differences(start, document)}

    def _at(self, names: frozenset[Name], *, backward: bool) -> dict[str, Any] | None:
        if (backward, names) not in self._seen:
            sides: tuple[Flat, Flat] = (self.right, self.left) if backward else (self.left, self.right)
            inputs = unflatten(exchange(sides[0], names, sides[1]))
            self._seen[backward, names] = self._laboratory.document(inputs)
        return self._seen[backward, names]


def change_of(field: Difference, names: frozenset[Name]) -> str:
    """What a release did to a field: ``new``, ``gone`` or ``changed``; other causes only change."""
    if all(name.origin == TOOLCHAIN for name in names):
        if field.left == ABSENT:
            return "new"
        if field.right == ABSENT:
            return "gone"
    return "changed"
