"""What vLLM's own parser made of hundreds of command lines.

``tests/data/serve_commands/<release>.jsonl``: recorded from ``FlexibleArgumentParser`` with ``make_arg_parser`` of that
release. ``changed`` holds the fields of ``EngineArgs`` that differ from the parser's defaults.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aot.serve_command import CommandError

from .support import VLLM, arguments

DATA = Path(__file__).parents[2] / "data" / "serve_commands"
CASES = [(release, line) for release in VLLM for line in (DATA / f"{release}.jsonl").read_text("utf-8").splitlines()]


def ours(case: dict[str, Any], release: str):
    return arguments(*case["arguments"], files=case.get("files"), module=case["module"], release=release)


@pytest.mark.parametrize(("release", "line"), CASES)
def test_the_same_as_the_genuine_parser(release: str, line: str) -> None:
    case = json.loads(line)
    if case.get("refused"):
        with pytest.raises(CommandError) as caught:
            ours(case, release)
        assert caught.value.message
        assert caught.value.remedy or "cannot be read" in caught.value.message
        return
    command = ours(case, release)
    assert command.model == case["model"]
    for name, value in case["changed"].items():
        assert json.dumps(command.engine_args[name]) == json.dumps(value), name


@pytest.mark.parametrize("release", VLLM)
def test_the_recording_has_both_kinds(release: str) -> None:
    refused = [json.loads(line).get("refused", False) for each, line in CASES if each == release]
    assert 50 < sum(refused) < len(refused) - 150
