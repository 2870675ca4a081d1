"""Differences of two documents."""

from __future__ import annotations

from aot.fingerprint.explain import ABSENT, Difference, differences

from .support import fingerprint


def test_one_flag_names_its_fields():
    left, right = fingerprint().config, fingerprint(tensor_parallel_size=4).config
    assert [difference.path for difference in differences(left, right)] == [
        "neuron_config.local_ranks_size",
        "neuron_config.tp_degree",
        "neuron_config.world_size",
    ]
    assert differences(left, left) == []


def test_spelling_counts_and_lists_are_leaves():
    assert differences({"a": 1, "b": [1]}, {"a": 1.0, "b": [True]}) == [
        Difference("a", 1, 1.0),
        Difference("b", [1], [True]),
    ]
    assert differences({"a": 1}, {"a": True}) == [Difference("a", 1, right=True)]


def test_absent_fields_and_objects_against_values():
    assert differences({}, {"a": None}) == [Difference("a", ABSENT, None)]
    assert differences({"a": None}, {"a": {"b": 1}}) == [
        Difference("a", None, "<object>"),
        Difference("a.b", ABSENT, 1),
    ]
    assert differences({"a": {"b": 1}}, {}) == [Difference("a.b", 1, ABSENT)]
    assert differences({"a": {}}, {"a": None}) == [Difference("a", {}, None)]
