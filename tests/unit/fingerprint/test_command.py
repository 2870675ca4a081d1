"""``aot fingerprint``: JSON Lines in and out, order kept, no line stops the others."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from aot.cli.fingerprint import answer, command

from .support import vectors

CASES = vectors("sdk2.28.0")[:40]
FIELDS = ("id", "toolchain", "model_dir", "hf_config", "generation_config", "engine_args", "env", "detected_platform")


def line(case, **changes):
    return json.dumps({**{key: case[key] for key in FIELDS if key in case}, **changes}).encode()


def run(*lines, arguments=()):
    result = CliRunner().invoke(command, ["--requests", "-", *arguments], input=b"\n".join(lines) + b"\n")
    assert result.exit_code == 0, result.output
    return [json.loads(text) for text in result.stdout.splitlines()]


def test_answers_keep_the_order():
    answers = run(*map(line, CASES), arguments=["--canonical"])
    assert [found["id"] for found in answers] == [case["id"] for case in CASES]
    for found, case in zip(answers, CASES, strict=True):
        assert found.get("canonical_json") == case.get("canonical_json")


def test_text_only_when_asked_for():
    good = next(case for case in CASES if "md5" in case)
    assert run(line(good)) == [{"id": good["id"], "md5": good["md5"]}]


def test_a_file_of_requests(tmp_path):
    good = next(case for case in CASES if "md5" in case)
    (tmp_path / "requests.jsonl").write_bytes(line(good) + b"\n\n" + line(good))
    result = CliRunner().invoke(command, ["--requests", str(tmp_path / "requests.jsonl")])
    assert len(result.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"{", "invalid_request"), (b"[]", "invalid_request"), (b"null", "invalid_request"), (b"5", "invalid_request"),
        (b"\xff\xfe", "invalid_request"), (b"{}", "invalid_request"), (b'{"toolchain": 5}', "invalid_request"),
        (b'{"toolchain": "sdk2.28.0"}', "invalid_request"), (b'{"toolchain": "sdk9"}', "not_covered"),
        (b'{"toolchain": "../sdk2.28.0"}', "not_covered"), (b'{"a": ' + b"9" * 5000 + b"}", "invalid_request"),
        (b"[" * 100000, "invalid_request"),
        (b'{"toolchain": "sdk2.28.0", "model_dir": 5, "hf_config": {}}', "invalid_request"),
        (b'{"toolchain": "sdk2.28.0", "model_dir": "/m", "hf_config": []}', "invalid_request"),
        (b'{"toolchain": "sdk2.28.0", "model_dir": "/m", "hf_config": {}, "env": {"A": 1}}', "invalid_request"),
        (b'{"toolchain": "sdk2.28.0", "model_dir": "/m", "hf_config": {}, "engine_args": []}', "invalid_request"),
        (b'{"toolchain": "sdk2.28.0", "model_dir": "/m", "hf_config": {}, "usage_context": "x"}', "invalid_request"),
        (b'{"toolchain": "sdk2.28.0", "model_dir": "/m", "hf_config": {}, "detected_platform": 1}', "invalid_request"),
        (b'{"toolchain": "sdk2.28.0", "model_dir": "/m", "hf_config": {}}', "refused"),
    ],
)  # fmt: skip
def test_bad_lines_are_answered(text, kind):
    good = next(case for case in CASES if "md5" in case)
    answers = run(text, line(good))
    assert answers[0]["error"]["type"] == kind
    assert answers[0]["error"]["message"]
    assert answers[1]["md5"] == good["md5"]


def test_engine_args_may_not_name_the_model():
    good = next(case for case in CASES if "md5" in case)
    assert answer(line(good, engine_args={"model": "x"}), canonical=False)["error"]["type"] == "invalid_request"


def test_deep_nesting_is_answered():
    good = next(case for case in CASES if "md5" in case)
    deep = b'{"x":' * 400 + b"1" + b"}" * 400
    text = line(good, hf_config=0).replace(b'"hf_config": 0', b'"hf_config": ' + deep)
    assert "error" in answer(text, canonical=False)
