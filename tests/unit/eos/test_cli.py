"""``aot eos check`` as a user runs it: exit status, one JSON document, readable text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aot.cli.main import run

DATA = Path(__file__).parents[2] / "data" / "eos"
EXAMPLE = Path(__file__).parents[3] / "examples" / "models" / "Qwen" / "Qwen3-8B"


def test_the_demo_model_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eos", "check", str(EXAMPLE)]) == 0
    shown = capsys.readouterr().out
    assert "Qwen/Qwen3-8B: ok; vLLM stops on 151645, 151643" in shown
    assert "tokenizer_config.json: eos_token <|im_end|> = 151645" in shown
    assert "generation_config.json: eos_token_id = 151645, 151643" in shown
    assert "config.json: eos_token_id = 151645  (not read by vLLM)" in shown


def test_the_document_keeps_its_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eos", "check", str(EXAMPLE), "--json", "-tp", "2", "--max-num-seqs", "2"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert document["ok"] is True
    assert document["stop_ids"] == [151645, 151643]
    assert {"id", "severity", "reason", "remedy", "involved"} == set(document["findings"][0])


def test_a_model_that_never_stops(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eos", "check", str(DATA / "broken-chatml-on-llama")]) == 9
    shown = capsys.readouterr()
    assert "turn-end-not-in-stop-ids" in shown.out
    assert "Add 32001 to eos_token_id in generation_config.json" in shown.out
    assert "eos-check-failed (exit code 9)" in shown.err


def test_a_failed_check_is_still_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eos", "check", str(DATA / "broken-no-eos"), "--json"]) == 9
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["findings"][0]["severity"] == "error"


def test_a_directory_that_is_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eos", "check", str(tmp_path), "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["error"]["id"] == "model-without-config"


def test_a_malformed_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eos", "check", str(EXAMPLE), "--additional-config", "{"]) == 2
    assert "--additional-config" in capsys.readouterr().err
