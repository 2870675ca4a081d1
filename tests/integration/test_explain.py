"""``aot explain`` as a user calls it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.support.cli import EXAMPLE, SERVE, Aot

VECTORS = Path(__file__).parents[1] / "data" / "vectors" / "sdk2.28.0.jsonl.gz"


@pytest.fixture(scope="module")
def aot(tmp_path_factory: pytest.TempPathFactory) -> Aot:
    call = Aot(tmp_path_factory.mktemp("explain") / "home")
    rows = gzip.decompress(VECTORS.read_bytes())
    (call.home / "requests.jsonl").write_bytes(rows)
    built = call.build()
    (call.home / "build.json").write_text(built.stdout)
    (call.home / "plan.json").write_text(call("plan", str(EXAMPLE), *SERVE, "-tp", "4", "--json").stdout)
    return call


def causes(aot: Aot, *arguments: str) -> list[str]:
    done = aot("explain", *arguments, "--json")
    assert done.status == 0, done.stderr
    return [cause["name"] for cause in done.document["causes"]]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("requests.jsonl#base-qwen3-8b", "requests.jsonl#sdk2.28.0/len-4096", ["--max-model-len"]),
        ("requests.jsonl#base-qwen3-8b", "requests.jsonl#dtype-float16", ["--dtype"]),
        ("build.json", "plan.json", ["--tensor-parallel-size"]),
        ("requests.jsonl#base-qwen3-8b", "plan.json", ["--tensor-parallel-size"]),
        ("build.json", "requests.jsonl#base-qwen3-8b", []),
    ],
)
def test_requests_plans_and_artifacts_are_compared_with_each_other(
    aot: Aot, left: str, right: str, expected: list[str]
) -> None:
    assert causes(aot, left, right) == expected


def test_an_artifact_is_named_as_everywhere_else(aot: Aot) -> None:
    artifact = json.loads((aot.home / "build.json").read_text())["artifact"]
    for name in (artifact["reference"], artifact["key"], artifact["digest"], f"{aot.store}@{artifact['digest']}"):
        assert causes(aot, name, "plan.json") == ["--tensor-parallel-size"]
    assert causes(aot, str(aot.store), "plan.json") == ["--tensor-parallel-size"]


def test_a_neuron_config_has_the_md5_of_the_artifact(aot: Aot) -> None:
    rows = [json.loads(line) for line in (aot.home / "requests.jsonl").read_bytes().splitlines()]
    row = next(row for row in rows if row["id"].endswith("/len-4096"))
    directory = aot.home / "compiled"
    directory.mkdir()
    (directory / "neuron_config.json").write_text(row["canonical_json"] + "\n")
    done = aot("explain", "build.json", "compiled", "--json")
    assert done.document["right"]["md5"] == row["md5"]
    assert done.document["right"]["notes"] == []
    assert [cause["name"] for cause in done.document["causes"]] == ["--max-model-len"]
    (directory / "neuron_config.json").write_text(json.dumps(json.loads(row["canonical_json"])))
    compact = aot("explain", "build.json", "compiled", "--json").document["right"]
    assert compact["md5"] == row["md5"]
    assert "not spelled" in compact["notes"][0]


def test_a_pods_log_against_its_artifact(aot: Aot) -> None:
    log = aot.home / "pod.log"
    log.write_text(
        "INFO 11-22 10:00:00 [utils.py:253] non-default args: {'model_tag': '/models/Qwen/Qwen3-8B', "
        "'tensor_parallel_size': 2, 'max_model_len': 2048, 'max_num_seqs': 4, 'dtype': 'bfloat16', "
        "'enable_prefix_caching': False}\n"
    )
    assert causes(aot, "build.json", "pod.log") == ["--max-num-seqs"]


def test_an_upgrade_and_the_exit_codes(aot: Aot) -> None:
    upgrade = aot("explain", "plan.json", "--upgrade-to", "sdk2.29.0", "--exit-code")
    assert upgrade.status == 1
    assert "1. toolchain" in upgrade.stdout
    assert aot("explain", "plan.json", "plan.json", "--exit-code").status == 0
    markdown = aot("explain", "plan.json", "build.json", "--format", "markdown")
    assert markdown.status == 0
    assert markdown.stdout.startswith("**The fingerprints differ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "prints no configuration"),
        ("hello\n", "prints no configuration"),
        ("{}", "none that aot knows"),
        ('{"a": 1}', "none that aot knows"),
        ('{"model_dir": "/m"}', "hf_config"),
        ('{"model_dir": 1, "hf_config": {}}', "model_dir"),
        ('{"error": {"id": "x"}}', "failed"),
        ('{"options": [], "toolchain": {}, "fingerprint": {}}', "plan"),
        ('{"options": {}, "toolchain": {"name": 1}, "fingerprint": {"canonical_json": "x"}}', "plan"),
        ('{"canonical_json": "no"}', "canonical_json"),
        ('{"id": "a"}\n{"id": "b"}\n', "pick"),
        ('{"neuron_config": {"a": ' + "[" * 500 + "]" * 500 + "}}", "nested"),
        ('{"broken": ', "neither"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_a_remedy(aot: Aot, content: str, words: str) -> None:
    (aot.home / "odd").write_text(content)
    done = aot("explain", "odd", "plan.json")
    assert done.status == 2, done.stderr
    assert "explain-input-unreadable" in done.stderr
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["plan.json"], 2),
        (["plan.json", "build.json", "--upgrade-to", "sdk2.29.0"], 2),
        (["-", "-"], 2),
        (["no/such/file.json", "plan.json"], 2),
        (["requests.jsonl#nobody", "plan.json"], 2),
        (["requests.jsonl:999999", "plan.json"], 2),
        (["requests.jsonl", "plan.json"], 2),
        (["sha256:000000000000", "plan.json"], 10),
        (["plan.json", "--upgrade-to", "sdk9"], 5),
        (["plan.json", "--upgrade-to", "../x"], 5),
    ],
)
def test_wrong_calls(aot: Aot, arguments: list[str], status: int) -> None:
    done = aot("explain", *arguments)
    assert done.status == status, done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreadable_file_is_an_error_of_the_user(aot: Aot) -> None:
    done = aot("explain", "/proc/self/mem", "plan.json")  # unreadable to root as well
    assert done.status == 2
    assert "Traceback" not in done.stderr
