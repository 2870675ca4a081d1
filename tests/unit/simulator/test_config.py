"""The simulator's config is the genuine code's, byte for byte, wherever it claims to know.

``simulator-vectors.jsonl.gz`` holds hashes that the genuine vLLM, plugin and NxDI computed; the cases are built through
the runner's own call sequence, in processes of their own.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from aot.resources import runner, simulator

DATA = Path(__file__).parents[2] / "data" / "simulator-vectors.jsonl.gz"
DRIVER = Path(__file__).with_name("driver.py")


def cases():
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def grouped():
    """By what holds for a whole process: the toolchain and the environment (a detected chip is an override here)."""
    groups = defaultdict(list)
    for case in cases():
        environment = dict(case.get("env", {}))
        environment.setdefault("NEURON_PLATFORM_TARGET_OVERRIDE", case.get("detected_platform", "inf2"))
        groups[case["toolchain"], tuple(sorted(environment.items()))].append(case)
    return groups


@pytest.fixture
def compute(tmp_path):
    shutil.copytree(runner(), tmp_path / "job" / "aot_runner")
    (tmp_path / "cwd").mkdir()

    def run(toolchain, environment, some):
        done = subprocess.run(
            [sys.executable, str(DRIVER)],
            input="\n".join(map(json.dumps, some)),
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path / "cwd",
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{tmp_path / 'job'}:{simulator() / 'packages'}",
                "AOT_SIMULATOR_TOOLCHAIN": toolchain,
                "AOT_SIMULATOR_ROOT": str(tmp_path / "root"),
                **dict(environment),
            },
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.mark.parametrize(("toolchain", "environment"), sorted(grouped()))
def test_config_is_the_genuine_codes(compute, toolchain, environment):
    group = grouped()[toolchain, environment]
    for case, found in zip(group, compute(toolchain, environment, group), strict=True):
        assert found["id"] == case["id"]
        if case["md5"] is None:
            assert "md5" not in found, f"{case['id']}: upstream refuses this"
            assert found["known"], f"{case['id']}: {found['error']}"
        else:
            assert found.get("md5") == case["md5"], f"{case['id']}: {found.get('error')}"


def test_the_selection_is_wide_enough_to_mean_something():
    kinds = {case["hf_config"]["model_type"] for case in cases() if case["md5"]}
    assert kinds == {"qwen2", "qwen3", "llama"}
    assert {case["toolchain"] for case in cases()} == {"sdk2.27.1", "sdk2.28.0", "sdk2.29.0"}
    assert len(cases()) > 500
    assert sum(case["md5"] is None for case in cases()) > 20


def vary(**changes):
    base = next(case for case in cases() if case["id"] == "sdk2.28.0/base-qwen3-8b")
    return {**base, **changes, "id": "varied"}


@pytest.mark.parametrize(
    "changes",
    [
        {"hf_config": {"architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss"}},
        {"hf_config": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen9"}},
        {"hf_config": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "decoder": {}}},
        {"engine_args": {"max_model_len": 128, "quantization": "fp8"}},
        {
            "engine_args": {
                "max_model_len": 128,
                "enable_prefix_caching": False,
                "additional_config": {"override_neuron_config": {"attention_dp_degree": 2}},
            }
        },
    ],
    ids=["architecture", "model type", "nested text model", "quantization", "override"],
)
def test_what_it_does_not_know_it_says(compute, changes):
    environment = (("NEURON_PLATFORM_TARGET_OVERRIDE", "inf2"),)
    (found,) = compute("sdk2.28.0", environment, [vary(**changes)])
    assert "the simulator does not know" in found["error"]
    assert not found["known"]


def test_one_field_can_be_perturbed(compute):
    environment = {"NEURON_PLATFORM_TARGET_OVERRIDE": "inf2", "AOT_SIMULATOR_PERTURB": "neuron_config.seq_len=4096"}
    (found,) = compute("sdk2.28.0", tuple(environment.items()), [vary()])
    assert found["md5"] != vary()["md5"]
    assert json.loads(found["text"])["neuron_config"]["seq_len"] == 4096
