"""What users see."""

from __future__ import annotations

import json

import pytest

from aot.explain import render
from aot.explain.compare import explain_upgrade
from aot.explain.side import request_side
from aot.fingerprint import parse_request
from aot.toolchain import load_profile
from tests.unit.explain.vectors import asked, compare, vectors

BASE = "base-qwen3-8b"


def test_the_text_names_the_flag_first_and_folds_what_follows():
    text = render.as_text(compare(asked(BASE), asked("len-4096")))
    assert "1. --max-model-len: 2048 -> 4096" in text
    assert "neuron_config.{max_context_length, max_length" in text
    assert len(text.splitlines()) < 12


@pytest.mark.parametrize("form", [render.as_text, render.as_markdown])
def test_equal_fingerprints_are_not_said_to_share_an_artifact(form):
    text = form(compare(asked(BASE), asked("arg-seed")))
    assert "do not mean that one artifact serves both" in text


def test_two_models_fit_a_screen():
    text = render.as_text(compare(asked(BASE), asked("grid-gpt-oss-20b-tp2-len8192-seqs256-trn2")))
    assert len(text.splitlines()) < 100
    assert "(1 field)" in text


def test_an_upgrade_counts_what_is_new_and_gone_in_markdown():
    text = render.as_markdown(explain_upgrade(asked(BASE), "sdk2.27.1", load_profile, "sdk2.28.0"))
    assert "(8 gone)" in text
    assert "| `toolchain` |" in text


def test_the_document_is_json_and_complete():
    explanation = compare(asked(BASE), asked("len-4096"))
    data = json.loads(json.dumps(render.as_data(explanation)))
    assert data["equal"] is False
    assert data["left"]["md5"] == vectors()[BASE]["md5"]
    assert [cause["name"] for cause in data["causes"]] == ["--max-model-len"]
    assert len(data["causes"][0]["fields"]) == data["fields"] == 7
    assert data["unattributed"] == []


@pytest.mark.parametrize("evil", ["a|b", "`x`", "</details>", "\x1b[31m", "line\nbreak", "x" * 5000])
def test_hostile_names_and_values_break_neither_table_nor_terminal(evil):
    row = dict(vectors()[BASE])
    row["hf_config"] = {**row["hf_config"], evil: evil}
    explanation = compare(asked(BASE), request_side(evil, parse_request(row), "sdk2.28.0"))
    text, markdown = render.as_text(explanation), render.as_markdown(explanation)
    assert "\x1b" not in text + markdown
    rows = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert len(rows) == 3 + 2 + 2
    assert all(line.replace("\\|", "").count("|") in (4, 6) for line in rows)
