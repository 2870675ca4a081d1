"""Each silent change of the hash is said, and nothing is said of a plain request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aot import hash_warnings
from aot.fingerprint import FingerprintRequest

from .fingerprint.support import ARGS, QWEN3, profile

PLAIN = FingerprintRequest(
    model_dir="/models/Qwen/Qwen3-8B", hf_config=QWEN3, engine_args=ARGS, detected_platform="inf2"
)


def said(request: FingerprintRequest, toolchain: str = "sdk2.28.0") -> str:
    return "\n".join(hash_warnings.of(request, profile(toolchain)))


def with_args(**changes: Any) -> FingerprintRequest:
    merged = {**ARGS, **changes}
    return replace(PLAIN, engine_args={name: value for name, value in merged.items() if value is not None})


def test_nothing_to_say() -> None:
    assert said(PLAIN) == ""
    assert hash_warnings.of(PLAIN) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/models/x/", "a trailing slash"),
        ("/models//x", "'//'"),
        ("/models/../x", "'.' or '..'"),
        ("./x", "is relative"),
        ("x", "is relative"),
        ("a/b/c", "is relative"),
        ("Qwen/Qwen3-8B", "HF_HUB_OFFLINE=1"),
    ],
)
def test_spellings_of_the_path(path: str, words: str) -> None:
    assert words in said(replace(PLAIN, model_dir=path))


@pytest.mark.parametrize("config", [{}, {"transformers_version": None}])
def test_no_transformers_version(config: dict[str, Any]) -> None:
    without = {name: value for name, value in QWEN3.items() if name != "transformers_version"}
    request = replace(PLAIN, hf_config={**without, **config})
    assert "4.57.6" in said(request)
    assert "4.56.2" in said(request, "sdk2.27.1")


def test_defaults_that_vllm_fills_in() -> None:
    text = said(with_args(enable_prefix_caching=None, max_num_seqs=None, tensor_parallel_size=None, dtype=None))
    assert "turns it on; " in text
    assert "256" in text
    assert "--tensor-parallel-size" in text
    assert "torch_dtype" in text
    assert "refuses to start without --block-size" in said(with_args(enable_prefix_caching=None, block_size=None))


def test_lengths_and_blocks() -> None:
    assert "2000 is no multiple of --block-size 32" in said(with_args(enable_prefix_caching=True, max_model_len=2000))
    assert said(with_args(enable_prefix_caching=False, max_model_len=2000)) == ""
    prompt = with_args(enable_prefix_caching=True, additional_config={"max_prompt_length": 1000})
    assert "max_prompt_length 1000" in said(prompt)


def test_an_override_that_is_not_the_detected_platform() -> None:
    request = replace(PLAIN, env={"NEURON_PLATFORM_TARGET_OVERRIDE": "inf2"})
    assert "not the same as a detected inf2" in said(request)
    assert said(request, "sdk2.29.0") == ""
