"""Tags in the index: each leads to one manifest, and none is lost by accident."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aot.artifact.layout import MANIFEST_TYPE, REF_NAME, Descriptor
from aot.storage.index import tags_of, with_tags


def _entry(name: str, tag: str | None = None) -> Descriptor:
    notes = {REF_NAME: tag} if tag else None
    return Descriptor(media_type=MANIFEST_TYPE, digest=f"sha256:{name * 64}", size=1, annotations=notes)


def _pairs(entries: list[Descriptor]) -> list[tuple[str, str | None]]:
    return [(entry.digest[7], entry.tag) for entry in entries]


def test_first_entry() -> None:
    assert _pairs(with_tags([], _entry("a"), ["x", "y"])) == [("a", "x"), ("a", "y")]


def test_without_a_tag() -> None:
    assert _pairs(with_tags([], _entry("a"), [])) == [("a", None)]


def test_a_tag_is_taken_over_and_the_loser_stays() -> None:
    assert _pairs(with_tags([_entry("a", "x")], _entry("b"), ["x"])) == [("a", None), ("b", "x")]


def test_the_loser_keeps_its_other_tags() -> None:
    entries = [_entry("a", "x"), _entry("a", "y")]
    assert _pairs(with_tags(entries, _entry("b"), ["x"])) == [("a", "y"), ("b", "x")]


def test_adding_a_tag_keeps_those_there_were() -> None:
    assert _pairs(with_tags([_entry("a", "x")], _entry("a"), ["y"])) == [("a", "x"), ("a", "y")]


def test_other_annotations_of_an_entry_survive() -> None:
    entry = Descriptor(media_type="m", digest="d", size=1, annotations={REF_NAME: "x", "k": "v"})
    assert with_tags([entry], _entry("b"), ["x"])[0].annotations == {"k": "v"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from("wxyz"), max_size=3))))
def test_any_order_of_puts(puts: list[tuple[str, list[str]]]) -> None:
    """The last put of a tag has it; nothing put is ever forgotten; no entry is there twice."""
    entries: list[Descriptor] = []
    expected: dict[str, str] = {}
    for name, tags in puts:
        entries = with_tags(entries, _entry(name), tags)
        expected |= dict.fromkeys(tags, name)
    pairs = _pairs(entries)
    assert len(set(pairs)) == len(pairs)
    assert {tag: name for name, tag in pairs if tag} == expected
    assert {name for name, _ in pairs} == {name for name, _ in puts}
    for name in "abc":
        assert tags_of(entries, f"sha256:{name * 64}") == tuple(sorted(t for t, n in expected.items() if n == name))
