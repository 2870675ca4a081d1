"""``aot fingerprint MODEL ...`` and ``--command``: one hash, with what the genuine code computed as the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aot.cli.main import run

from .support import vectors

EXAMPLE = Path(__file__).parents[3] / "examples" / "models" / "Qwen" / "Qwen3-8B"
CASES = {case["id"].partition("/")[2]: case for case in vectors("sdk2.28.0")}
BASE = "-tp 2 --max-model-len 2048 --max-num-seqs 2 --dtype bfloat16 --block-size 32 --no-enable-prefix-caching"
SERVE = f"vllm serve /models/Qwen/Qwen3-8B {BASE}"


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vectors' own config.json, in a directory of the working directory."""
    (tmp_path / "Qwen3-8B").mkdir()
    (tmp_path / "Qwen3-8B" / "config.json").write_text(json.dumps(CASES["base-qwen3-8b"]["hf_config"]))
    monkeypatch.chdir(tmp_path)


def call(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> tuple[str, str]:
    assert run(["fingerprint", *arguments]) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


def document(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> dict[str, Any]:
    return json.loads(call(capsys, *arguments, "--json", status=status)[0])


@pytest.mark.parametrize(
    ("case", "flags"),
    [
        ("base-qwen3-8b", ""),
        ("detected-trn2", "--target trn2 --toolchain sdk2.28.0"),
        ("detected-trn1", "--target=trn1"),
        ("base-qwen3-8b", "--env NEURON_PLATFORM_TARGET_OVERRIDE=inf2 --target trn2 --toolchain sdk2.28.0"),
    ],
)
def test_a_model_directory_and_flags(capsys: pytest.CaptureFixture[str], case: str, flags: str) -> None:
    arguments = ["--model-path", "/models/Qwen/Qwen3-8B", "./Qwen3-8B", *BASE.split(), *flags.split()]
    assert call(capsys, *arguments)[0] == CASES[case]["md5"] + "\n"


@pytest.mark.parametrize(
    ("case", "more"),
    [
        ("base-qwen3-8b", "--port 8080 --seed 7"),
        ("blocksize-16-pcoff", "--block_size=16"),
        ("cp-false-pc-on", "--enable-prefix-caching --no-enable-chunked-prefill"),
        ("arg-hf_overrides-architectures", "--hf-overrides.architectures+ LlamaForCausalLM"),
    ],
)
def test_a_command_line(capsys: pytest.CaptureFixture[str], case: str, more: str) -> None:
    out, err = call(capsys, "--command", f"{SERVE} {more}", "--model-dir", "Qwen3-8B")
    assert out == CASES[case]["md5"] + "\n"
    assert "hashed model string: /models/Qwen/Qwen3-8B (as in the command)" in err


def test_the_document_is_a_request_with_its_answer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "env").write_text("NEURON_LOGICAL_NC_CONFIG=2\nNEURON_CC_FLAGS=-O1\nHF_TOKEN=hf_secret\n")
    text = f"export NEURON_CC_FLAGS=--x; {SERVE} --port 80"
    found = document(capsys, "--command", text, "--model-dir", "Qwen3-8B", "--env-file", "env", "--canonical")
    assert found["schema_version"] == 1
    assert found["env"] == {"NEURON_LOGICAL_NC_CONFIG": "2"}
    assert found["not_in_hash"] == ["--block-size", "--port", "HF_TOKEN", "NEURON_CC_FLAGS"]
    assert "hf_secret" not in json.dumps(found)
    (tmp_path / "requests.jsonl").write_text(json.dumps({"id": 1, **found}) + "\n")
    again = json.loads(call(capsys, "--requests", "requests.jsonl", "--canonical")[0])
    assert again == {"id": 1, "md5": found["md5"], "canonical_json": found["canonical_json"]}


def test_the_canonical_text_is_printed_to_the_byte(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = call(capsys, "--command", SERVE, "--model-dir", "Qwen3-8B", "--canonical")
    assert out == CASES["base-qwen3-8b"]["canonical_json"]


def test_a_directory_is_hashed_as_given_and_the_warnings_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "Qwen3-8B/", *BASE.split())
    assert found["model_dir"] == "Qwen3-8B/"
    assert "trailing slash" in found["warnings"][0]
    assert "relative" in found["warnings"][1]
    _, err = call(capsys, "./Qwen3-8B", *BASE.split())
    assert "warning: the model path ./Qwen3-8B" in err


def test_a_hub_id_is_hashed_where_a_pod_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "Qwen/Qwen3-8B", "--model-dir", "Qwen3-8B", *BASE.split())
    assert (found["md5"], found["warnings"]) == (CASES["base-qwen3-8b"]["md5"], [])


def test_an_absent_flag_is_absent(capsys: pytest.CaptureFixture[str]) -> None:
    failed = document(capsys, "Qwen3-8B", "--max-model-len", "2k", status=3)["error"]
    assert failed["id"] == "refused-by-server"
    assert "prefix caching is on" in failed["reason"]
    assert any("256" in warning for warning in failed["warnings"])


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "give one of MODEL"),
        (("Qwen3-8B", "--command", SERVE), 2, "give one of MODEL"),
        (("Qwen3-8B", "--nope", "1"), 2, "unrecognized arguments"),
        (("Qwen3-8B", "--block-size", "48"), 2, "invalid choice"),
        (("--command", "vllm serve $M"), 2, "a shell would replace '$M'"),
        (("--command", SERVE), 4, "--model-dir"),
        (("nowhere/at/all", *BASE.split()), 4, "nowhere/at/all"),
        (("Qwen3-8B", *BASE.split(), "--env", "A"), 2, "NAME=VALUE"),
        (("Qwen3-8B", *BASE.split(), "--env-file", "missing"), 2, "missing cannot be read"),
        (("Qwen3-8B", "--config", "missing.yaml"), 2, "missing.yaml cannot be read"),
        (("Qwen3-8B", *BASE.split(), "--toolchain", "sdk2.30.0", "--target", "trn2"), 3, "sdk2.30.0"),
        (("Qwen3-8B", *BASE.split(), "--enable-lora"), 3, "enable_lora"),
        (("Qwen3-8B", *BASE.split(), "--env", "TRANSFORMERS_OFFLINE=1"), 3, "HF_HUB_OFFLINE"),
        (("Qwen3-8B", *BASE.split(), "--env", "VLLM_MODEL_REDIRECT_PATH=f"), 3, "VLLM_MODEL_REDIRECT_PATH"),
        (("--command", f"vllm serve s3://m {BASE}", "--model-dir", "Qwen3-8B"), 3, "object storage"),
    ],
)
def test_failures_have_a_reason(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, said: str
) -> None:
    assert said in call(capsys, *arguments, status=status)[1]


def test_short_flags_of_vllm_are_not_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """-dph holds an h; it is no request for help."""
    assert "data_parallel_hybrid_lb" in call(capsys, "Qwen3-8B", *BASE.split(), "-dph", status=3)[1]


def test_the_example_of_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = call(capsys, "--command", SERVE, "--model-dir", str(EXAMPLE))
    assert out == CASES["base-qwen3-8b"]["md5"] + "\n"
