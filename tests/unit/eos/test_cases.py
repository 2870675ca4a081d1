"""Every directory under tests/data/eos is a model; expected.json beside it says what the check must find."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aot.check.eos import check

if TYPE_CHECKING:
    from aot.check.eos_report import EosReport

CASES = sorted(path.parent for path in (Path(__file__).parents[2] / "data" / "eos").glob("*/expected.json"))
EXAMPLE = Path(__file__).parents[3] / "examples" / "models" / "Qwen" / "Qwen3-8B"


def read(directory: Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.is_file() and path.name != "expected.json"]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


@cache
def checked(directory: Path) -> EosReport:
    return check(read(directory))


@pytest.mark.parametrize("directory", CASES, ids=lambda path: path.name)
def test_case(directory: Path) -> None:
    expected: dict[str, Any] = json.loads((directory / "expected.json").read_text())
    report = checked(directory)
    end = report.turn_end
    found = {
        "ok": report.ok,
        "stop_ids": list(report.stop_ids),
        "turn_end": end and {"token": end.token, "id": end.id},
        "findings": [[finding.id, finding.severity] for finding in report.findings],
    }
    assert found == {key: expected[key] for key in found}


@pytest.mark.parametrize("directory", CASES, ids=lambda path: path.name)
def test_every_finding_says_what_to_do(directory: Path) -> None:
    for finding in checked(directory).findings:
        assert finding.reason
        assert finding.remedy
        assert "Traceback" not in finding.reason


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 25


def test_the_demo_model() -> None:
    report = check(read(EXAMPLE))
    assert report.ok
    assert report.stop_ids == (151645, 151643)
    assert report.findings == ()
    assert {(source.file, source.ids, source.used) for source in report.sources} == {
        ("tokenizer_config.json", (151645,), True),
        ("generation_config.json", (151645, 151643), True),
        ("config.json", (151645,), False),
    }


def test_a_report_is_deterministic_and_json() -> None:
    documents = {json.dumps(check(read(EXAMPLE)).to_json(), sort_keys=True) for _ in range(2)}
    assert len(documents) == 1
    assert json.loads(documents.pop())["turn_end"]["id"] == 151645
