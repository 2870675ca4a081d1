"""The writer gives the bytes of ``json.dumps(value, indent=2, sort_keys=True)``."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aot.fingerprint.canonical import to_text

numbers = st.integers() | st.floats() | st.sampled_from([1e16, 1e-7, 5e-324, -0.0, 0.0, 10**30, 1e22, float("inf")])
texts = st.text() | st.text(alphabet=st.characters(), max_size=5) | st.sampled_from(["\x7f", "\ud800", "😀", "\u2028"])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
    | st.dictionaries(st.integers(0, 30), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(texts, values, max_size=6))
def test_same_bytes_as_the_standard_library(document):
    assert to_text(document) == json.dumps(document, indent=2, sort_keys=True)


def test_equal_values_of_different_types_are_spelled_apart():
    document = {"a": 1, "b": 1.0, "c": True, "d": 0, "e": False, "f": 0.0, "g": -0.0, "h": None}
    assert to_text(document) == json.dumps(document, indent=2, sort_keys=True)


def test_keys():
    assert to_text({"a": {10: 1, 2: 1}}).index('"2"') < to_text({"a": {10: 1, 2: 1}}).index('"10"')
    for broken in ({"a": {1: 1, "b": 2}}, {"a": {1.5: 1}}, {"a": (1,)}, {"a": {None: 1}}):
        with pytest.raises(TypeError):
            to_text(broken)
