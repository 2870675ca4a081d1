"""record.json: one spelling, read back as it was written, and nothing unknown accepted."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from aot.artifact import record
from aot.errors import AotError, ErrorId
from tests.support.artifacts import key_for, make_record

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")  # distribution specification, "Pulling manifests"


def test_what_is_written_is_read_back() -> None:
    facts = make_record()
    assert record.decode(record.encode(facts)) == facts


def test_spelling_is_canonical() -> None:
    text = record.encode(make_record(note="für später")).decode()
    plain = json.loads(text)
    assert text == json.dumps(plain, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert "für später" in text


def test_order_of_dictionaries_does_not_matter() -> None:
    one = make_record(versions={"a": "1", "b": "2"})
    other = make_record(versions={"b": "2", "a": "1"})
    assert record.encode(one) == record.encode(other)


def test_canonical_json_survives_character_by_character() -> None:
    text = '{\n  "a": "\\u00e9 \\" \\\\ \\ud83d",\n  "b": 1e-06\n}'
    assert record.decode(record.encode(make_record(canonical_json=text))).canonical_json == text


def test_another_schema_version_is_named() -> None:
    plain = json.loads(record.encode(make_record())) | {"schema_version": 2}
    with pytest.raises(AotError, match="schema_version 2") as caught:
        record.decode(json.dumps(plain).encode())
    assert caught.value.error_id is ErrorId.ARTIFACT_UNREADABLE


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"schema_version": 1}', b'{"schema_version": 1, "x": 1}'])
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(AotError) as caught:
        record.decode(content)
    assert caught.value.error_id is ErrorId.ARTIFACT_UNREADABLE


def test_unknown_field_is_refused() -> None:
    plain = json.loads(record.encode(make_record())) | {"surprise": True}
    with pytest.raises(AotError, match="surprise"):
        record.decode(json.dumps(plain).encode())


def test_tag_of_a_key_is_valid_and_comes_back() -> None:
    key = key_for("x")
    assert _TAG.fullmatch(record.tag_for_key(key))
    assert record.key_of_tag(record.tag_for_key(key)) == key


@pytest.mark.parametrize("tag", ["latest", "key-", "key-abc", "A" * 68, key_for("x")])
def test_other_tags_carry_no_key(tag: str) -> None:
    assert record.key_of_tag(tag) is None


@pytest.mark.parametrize("key", ["", "A" * 64, "a" * 63, "../" + "a" * 61])
def test_a_key_is_64_digits(key: str) -> None:
    with pytest.raises(ValueError, match="64"):
        make_record(key=key)
    with pytest.raises(AotError):
        record.decode(record.encode(make_record()).replace(key_for("a").encode(), key.encode()))


def test_nothing_in_a_record_is_optional_by_accident() -> None:
    """A forgotten fact must not default its way into an artifact."""
    required = {f.name for f in msgspec.structs.fields(record.Record) if f.required}
    assert required >= {"simulated", "key", "request", "toolchain", "model", "fingerprint", "eos", "serving"}
