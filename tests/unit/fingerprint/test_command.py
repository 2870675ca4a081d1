"""``aot fingerprint``: JSON Lines in and out, order kept, no line stops the others."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner

from aot.cli.fingerprint import answer, command
from aot.fingerprint import canonical

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


def nested(depth):
    return b'{"x":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize("identity", [b"NaN", b"[1, -Infinity]", b'{"a": Infinity}', nested(900)])
def test_an_id_that_is_no_json_does_not_reach_the_answer(identity):
    good = next(case for case in CASES if "md5" in case)
    text = line(good, id=0).replace(b'"id": 0', b'"id": ' + identity)
    result = CliRunner().invoke(command, ["--requests", "-"], input=text + b"\n" + line(good) + b"\n")
    first, second = result.stdout.splitlines()
    if b"x" not in identity:
        answered = json.loads(first)
        assert answered["id"] is None
        assert answered["error"]["type"] == "invalid_request"
    assert json.loads(second)["md5"] == good["md5"]


HUGE = [10**9, 2**70, int("9" * 4000)]
LAYERED = ("llama", "qwen2", "qwen3", "mistral", "mixtral", "qwen3_moe", "gpt_oss", "gemma3_text")


@pytest.mark.parametrize(
    "changes",
    [
        *({"num_labels": number} for number in HUGE),
        *({"num_hidden_layers": number, "model_type": kind} for number in HUGE for kind in LAYERED),
        {"num_hidden_layers": 10**9, "model_type": "qwen2", "use_sliding_window": True},
        {"max_window_layers": 10**9},
        {"pruned_heads": {str(number): [0] for number in range(20000)}},
        {"id2label": {"9" * 4200: "x"}},
        {"x": json.loads("[" * 200 + ",".join(["0"] * 100000) + "]" * 200)},
        {"x": json.loads('{"a":' * 300 + "[" + ",".join(["0"] * 100000) + "]" + "}" * 300)},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_small_line_never_costs_much(changes):
    """Memory and time follow the length of the line, not the numbers in it."""
    good = next(case for case in CASES if "md5" in case)
    text = line(good, hf_config={**good["hf_config"], **changes})
    start = time.process_time()
    answered = json.dumps(answer(text, canonical=True))
    assert time.process_time() - start < 1
    assert len(answered) < 10**6 + 20 * len(text)


def test_a_model_type_is_not_looked_for_in_megabytes():
    good = next(case for case in CASES if "md5" in case)
    config = {name: value for name, value in good["hf_config"].items() if name != "model_type"}
    for length, kind in ((4000, "refused"), (4 * 10**6, "not_covered")):
        text = line(good, hf_config=config, model_dir="z" * length)
        start = time.process_time()
        assert answer(text, canonical=False)["error"]["type"] == kind
        assert time.process_time() - start < 0.5


def test_long_keys_are_not_kept():
    """The caches live as long as the batch: 4096 keys of a megabyte each would be its end."""
    good = next(case for case in CASES if "md5" in case)
    answer(line(good), canonical=False)
    before = canonical._row.cache_info().currsize, canonical._label.cache_info().currsize
    changed = {**good["hf_config"], "k" * 1000: 1, "l" * 1000: "x"}
    assert "md5" in answer(line(good, hf_config=changed), canonical=False)
    assert before == (canonical._row.cache_info().currsize, canonical._label.cache_info().currsize)
