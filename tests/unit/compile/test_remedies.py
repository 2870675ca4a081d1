"""The ladders: their order, and what each remedy promises."""

from __future__ import annotations

import pytest

from aot.compile.known_errors import find
from aot.compile.remedies import LADDER, REMEDIES, Remedy, applied_by_build, ladder, next_remedy


def test_the_top_k_ladder_pads_first_and_only_suggests_cpu_sampling() -> None:
    pad, sample = ladder("NCC_IXCG856")
    assert (pad.id, sample.id) == ("pad-topk", "cpu-sampling")
    assert [patch.id for patch in pad.patches] == ["pad-topk"]
    assert not sample.automatic
    assert sample.override_neuron_config == {"on_device_sampling_config": None}


def test_a_remedy_is_tried_once() -> None:
    first = next_remedy("NCC_IXCG856", ())
    assert first is not None
    assert next_remedy("NCC_IXCG856", {first.id}) is None
    assert next_remedy("NCC_EVRF007", ()) is None


def test_ladders_are_found_by_entry_too() -> None:
    entry = find("CACHED_FAILED_NEFF")
    assert entry is not None
    assert ladder(entry) == ladder(entry.id)
    assert applied_by_build(entry.id) == REMEDIES["purge-failed-neff"]


@pytest.mark.parametrize("remedy", REMEDIES.values(), ids=list(REMEDIES))
def test_every_remedy_declares_itself(remedy: Remedy) -> None:
    assert all((remedy.does, remedy.cost, remedy.not_when, remedy.confidence))
    assert remedy.changes_neff == bool(remedy.patches or remedy.override_neuron_config)
    assert remedy.changes_fingerprint == bool(remedy.override_neuron_config)
    if remedy.changes_fingerprint:
        assert not remedy.automatic, "the pod would have to be told"


def test_every_remedy_is_on_a_ladder() -> None:
    assert {step.id for steps in LADDER.values() for step in steps} == set(REMEDIES)
