"""``aot errors``: findings from logs, as the command line prints them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aot.cli.errors import command
from aot.compile.explain import explain, sentence
from aot.compile.known_errors import catalogue
from aot.compile.log import read_failures
from aot.compile.topk import Logits

LOGS = Path(__file__).parents[2] / "data" / "logs"
QWEN3 = LOGS / "ixcg856-qwen3-8b.log"
QWEN14B = LOGS / "ixcg856-qwen2.5-14b.log"


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(command, list(arguments), input=stdin)


def findings(*arguments: str, stdin: bytes | None = None) -> list[dict[str, Any]]:
    result = run("explain", *arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    found: list[dict[str, Any]] = document["findings"]
    return found


def test_the_public_reports_lines_as_json() -> None:
    (found,) = findings(str(QWEN3))
    assert (found["id"], found["code"], found["confidence"]) == ("NCC_IXCG856", "NCC_IXCG856", "reported")
    assert found["remedy"] == "pad-topk"
    assert found["cause_confidence"] == "inference"
    assert found["tensors"] == [{"dtype": "float32", "shape": [2, 15190]}, {"dtype": "float32", "shape": [1, 4]}]
    assert found["remainder"] == 4
    arithmetic = found["arithmetic"]
    assert (arithmetic["tiles"], arithmetic["tile"], arithmetic["last_tile"]) == (10, 15194, 15190)
    assert arithmetic["elements"] == 151936
    assert arithmetic["confidence"] == "inference"
    assert found["link"].endswith("/issues/1303")
    assert [step["id"] for step in found["ladder"]] == ["pad-topk", "cpu-sampling"]


def test_graph_and_bucket_come_from_the_path() -> None:
    (found,) = findings(str(QWEN14B))
    assert (found["graph"], found["bucket"], found["remainder"]) == ("token_generation_model", "_tp0_bk0", 6)


def test_standard_input_and_a_file_give_the_same() -> None:
    assert findings("-", stdin=QWEN14B.read_bytes()) == findings(str(QWEN14B))


@pytest.mark.parametrize("content", [b"", b"\x00\x01\xfe\xff" * 10_000, b"all went well\n"])
def test_no_failure_is_an_answer(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    assert findings(str(path)) == []
    assert "no failure found" in run("explain", str(path)).stdout


def test_an_unknown_failure_is_read_as_far_as_possible() -> None:
    (found,) = findings(str(LOGS / "unknown-sort.log"))
    assert (found["id"], found["code"], found["confidence"], found["remedy"]) == ("unknown", "NCC_EVRF029", None, None)
    assert "to file it" in found["workaround"]
    text = run("explain", str(LOGS / "unknown-sort.log")).stdout
    assert "NCC_EVRF029" in text
    assert "| " in text, "the lines to quote are shown"


def test_a_closed_standard_input_is_a_usage_error() -> None:
    command_line = f"{sys.executable} -m aot errors explain - <&-"
    ended = subprocess.run(["/bin/sh", "-c", command_line], capture_output=True, check=False)
    assert ended.returncode == 2
    assert b"log-unreadable" in ended.stderr


@pytest.mark.parametrize("path", ["no/such/file", "."])
def test_what_cannot_be_read_is_a_usage_error(path: str) -> None:
    ended = subprocess.run([sys.executable, "-m", "aot", "errors", "explain", path], capture_output=True, check=False)
    assert ended.returncode == 2
    assert b"log-unreadable" in ended.stderr


def test_every_genuine_log_is_explained_in_words() -> None:
    for path in sorted(LOGS.glob("*.log")):
        result = run("explain", str(path))
        assert result.exit_code == 0
        assert "what to do" in result.stdout or path.name == "successful.log"


def test_list_and_show_know_every_entry() -> None:
    listed = run("list").stdout
    for entry in catalogue():
        assert f"\n{entry.id} " in listed
        shown = run("show", entry.id)
        assert shown.exit_code == 0
        assert entry.name in shown.stdout
    assert len(json.loads(run("list", "--json").stdout)["errors"]) == len(catalogue())
    assert json.loads(run("show", "ncc_ixcg856", "--json").stdout)["error_entry"]["id"] == "NCC_IXCG856"


def test_an_unknown_id_is_a_usage_error() -> None:
    ended = subprocess.run([sys.executable, "-m", "aot", "errors", "show", "NCC_X"], capture_output=True, check=False)
    assert ended.returncode == 2
    assert b"aot errors list" in ended.stderr


def test_the_request_decides_the_arithmetic_where_it_is_known() -> None:
    failures = read_failures(QWEN3.read_bytes().splitlines())
    logits = Logits(batch=2, vocabulary=151936, tensor_parallel=2)
    assert "top-k over 2 x 75968 logits" in sentence(failures[0], logits)
    (found,) = explain(failures, logits)
    assert found.arithmetic is not None
    assert found.arithmetic["text"].startswith("top-k over 2 x 75968 logits")
