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
    assert run(["eos", "check", str(EXAMPLE), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert document["ok"] is True
    assert document["stop_ids"] == [151645, 151643]
    assert {"id", "severity", "reason", "remedy", "involved", "host_dependent"} == set(document["findings"][0])
    assert "error" not in document


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
    assert document["error"]["id"] == "eos-check-failed"
    assert document["error"]["exit_code"] == 9
    assert document["error"]["remedy"] == document["findings"][0]["remedy"]


def test_a_directory_that_is_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eos", "check", str(tmp_path), "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["error"]["id"] == "model-without-config"


def test_a_malformed_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eos", "check", str(EXAMPLE), "--additional-config", "{"]) == 2
    assert "--additional-config" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["-tp", "2"], ["--enable-lora"], ["--max-model-len", "8"]])
def test_an_option_that_changes_nothing_is_refused(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eos", "check", str(EXAMPLE), *option]) == 2
    assert "No such option" in capsys.readouterr().err


def test_what_asks_for_nothing_is_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eos", "check", str(EXAMPLE)]) == 0
    assert "min-tokens-ignored" not in capsys.readouterr().out
    assert run(["eos", "check", str(EXAMPLE), "--verbose"]) == 0
    assert "min-tokens-ignored" in capsys.readouterr().out
    on_cpu = json.dumps({"override_neuron_config": {"on_device_sampling_config": None}})
    for given, found in (("{}", True), (on_cpu, False)):
        assert run(["eos", "check", str(EXAMPLE), "--json", "--additional-config", given]) == 0
        findings = json.loads(capsys.readouterr().out)["findings"]
        assert ("min-tokens-ignored" in [finding["id"] for finding in findings]) is found
