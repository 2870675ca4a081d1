"""Profiles are complete, readable data, and the package is pure."""

from __future__ import annotations

import ast
import copy
import json
from pathlib import Path

import pytest

import aot.fingerprint
from aot import resources
from aot.fingerprint.profile import check

from .support import TOOLCHAINS, profile, vectors


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_profile_is_complete_and_deterministic(toolchain):
    check(profile(toolchain))
    text = (resources.manifests() / "toolchains" / toolchain / "profile.json").read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"
    assert profile(toolchain)["toolchain"] == toolchain
    assert "vllm" in profile(toolchain)["about"].lower()


def test_a_damaged_profile_is_named():
    damaged = copy.deepcopy(profile())
    del damaged["behaviour"]["fused_qkv_popped_twice"]
    damaged["model_classes"]["NeuronLlamaForCausalLM"]["derived"].append("nope")
    with pytest.raises(ValueError, match=r"behaviour.fused_qkv_popped_twice.*the rule nope"):
        check(damaged)


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_profile_defaults_are_those_of_the_genuine_objects(toolchain):
    """A constant attribute of the table has its default in the plainest vector."""
    plain = next(case for case in vectors(toolchain) if case["id"].endswith("base-qwen3-8b"))
    genuine = json.loads(plain["canonical_json"])["neuron_config"]
    set_by_plugin = {"enable_bucketing", "ctx_batch_size", "is_continuous_batching", "seq_len", "batch_size",
                     "tp_degree", "world_size", "local_ranks_size", "on_device_sampling_config", "attn_cls",
                     "num_medusa_heads", "on_cpu"}  # fmt: skip
    for name, default in profile(toolchain)["neuron_config"]["defaults"].items():
        if name not in set_by_plugin:
            assert genuine[name] == default, name


def test_rules_import_nothing_that_reads():
    """No file, no socket, no process, and nothing of the rest of aot."""
    allowed = {"__future__", "aot", "collections", "copy", "dataclasses", "functools", "hashlib", "json", "math", "re",
               "typing"}  # fmt: skip
    for path in Path(aot.fingerprint.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                assert not names[0].startswith("aot") or names[0].startswith("aot.fingerprint"), path.name
            assert {name.split(".")[0] for name in names} <= allowed, path.name
            assert not (isinstance(node, ast.Name) and node.id == "open"), path.name
