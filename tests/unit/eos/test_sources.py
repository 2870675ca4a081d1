"""What is read from odd files: nothing may end in a traceback, and vLLM's order of precedence holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aot.check.eos import check
from aot.check.eos_sources import gather
from aot.check.vocabulary import Vocabulary, first_token
from aot.request import ServeOptions

FILES = ("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json")
KEYS = ("eos_token_id", "eos_token", "added_tokens_decoder", "added_tokens", "model", "vocab", "text_config", "content")

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 10)
    | st.floats(allow_nan=False)
    | st.sampled_from(["<s>", "", "llama"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)


def files(**documents: Any) -> dict[str, bytes]:
    return {f"{name}.json": json.dumps(document).encode() for name, document in documents.items()}


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FILES), json_values.map(lambda value: json.dumps(value).encode())))
def test_no_json_makes_it_stumble(documents: dict[str, bytes]) -> None:
    found = gather(documents)
    assert all(type(token_id) is int for token_id in found.stop_ids())


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(FILES), st.binary(max_size=40)))
def test_no_bytes_make_it_stumble(documents: dict[str, bytes]) -> None:
    for name in documents:
        try:
            valid = isinstance(json.loads(documents[name].decode()), dict)
        except (ValueError, RecursionError):
            valid = False
        assert valid or any(name in finding.involved for finding in gather(documents).findings)


def test_nothing_at_all() -> None:
    report = check({})
    assert not report.ok
    assert report.stop_ids == ()


@pytest.mark.parametrize("value", ["5", True, 1.5, -1, [1, "2"], {"a": 1}, [[1]]])
def test_an_id_that_is_none(value: object) -> None:
    report = check(files(config={"vocab_size": 9}, generation_config={"eos_token_id": value}))
    assert report.findings[0].id == "malformed-eos"


def test_the_generation_config_replaces_the_config() -> None:
    both = files(config={"eos_token_id": 1}, generation_config={"eos_token_id": [2, 3, 2]})
    assert gather(both).stop_ids() == (2, 3)
    assert gather({"config.json": both["config.json"]}).stop_ids() == (1,)
    assert gather(both | {"generation_config.json": b"{"}).stop_ids() == (1,)


def test_the_tokenizers_own_id_comes_first() -> None:
    tokenizer = {"eos_token": {"content": "<e>"}, "added_tokens_decoder": {"7": {"content": "<e>"}}}
    found = gather(files(tokenizer_config=tokenizer, generation_config={"eos_token_id": [2, 7]}))
    assert found.stop_ids() == (7, 2)


def test_text_config_counts_where_the_top_level_names_none() -> None:
    nested = {"text_config": {"eos_token_id": 4, "vocab_size": 6}}
    assert gather(files(config=nested)).stop_ids() == (4,)
    assert gather(files(config={**nested, "eos_token_id": 5})).stop_ids() == (5,)
    assert gather(files(config=nested)).vocab_size() == 6


def test_harmony_stops_on_two_more() -> None:
    assert gather(files(config={"model_type": "gpt_oss", "eos_token_id": 1})).stop_ids() == (1, 200002, 200012)


def test_a_fast_tokenizers_ids_win() -> None:
    vocabulary = Vocabulary()
    vocabulary.add("decoder", {"<e>": 6, "<only>": 9})
    vocabulary.read_fast(b'{"added_tokens": [{"id": 5, "content": "<e>"}], "model": {"vocab": {"a": 0}}}')
    assert (vocabulary.id_of("<e>"), vocabulary.id_of("<only>"), vocabulary.id_of("a")) == (5, 9, 0)
    assert (vocabulary.token_of(0), vocabulary.token_of(5), vocabulary.token_of(77)) == ("a", "<e>", None)


def test_the_earliest_and_then_the_longest_token() -> None:
    assert first_token("x<|end|>y<|e|>", ["<|e|>", "<|end|>", "<|en"]) == "<|end|>"
    assert first_token("nothing", ["<s>"]) is None


def test_min_tokens_is_only_worth_a_word_with_on_device_sampling() -> None:
    on_cpu = ServeOptions(additional_config={"override_neuron_config": {"on_device_sampling_config": None}})
    named = {"config.json": b'{"eos_token_id": 1}'}
    assert "min-tokens-ignored" in {finding.id for finding in check(named, ServeOptions()).findings}
    assert "min-tokens-ignored" not in {finding.id for finding in check(named, on_cpu).findings}
    assert "min-tokens-ignored" not in {finding.id for finding in check(named).findings}
