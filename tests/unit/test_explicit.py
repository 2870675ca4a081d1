from __future__ import annotations

import json
from typing import Any

import pytest

from aot.explicit import spell_out
from aot.request import ServeOptions
from tests.support.cli import EXAMPLE

CONFIG: dict[str, Any] = json.loads((EXAMPLE / "config.json").read_bytes())


def test_nothing_that_can_enter_the_hash_is_left_to_a_default() -> None:
    options, notes = spell_out(ServeOptions(), CONFIG, "inf2", 1)
    assert options == ServeOptions(
        tensor_parallel_size=options.tensor_parallel_size,
        max_model_len=2048,
        max_num_seqs=1,
        dtype="bfloat16",
        block_size=32,
        enable_prefix_caching=False,
        enable_chunked_prefill=False,
    )
    assert options.tensor_parallel_size is not None
    assert len(notes) == 7


def test_what_was_given_is_kept() -> None:
    given = ServeOptions(
        tensor_parallel_size=4,
        max_model_len=100,
        max_num_seqs=3,
        dtype="float16",
        block_size=16,
        enable_prefix_caching=True,
        enable_chunked_prefill=True,
        num_gpu_blocks_override=9,
        additional_config={"max_prompt_length": 50},
    )
    assert spell_out(given, CONFIG, "trn1", 1) == (given, [])


@pytest.mark.parametrize(
    ("given", "declared", "explicit"),
    [
        (None, "float16", "bfloat16"),
        ("auto", "bfloat16", "bfloat16"),
        ("auto", "float16", "float16"),
        ("auto", "float32", "bfloat16"),
        ("auto", None, "bfloat16"),
        ("half", "bfloat16", "float16"),
        ("float", "bfloat16", "float32"),
        ("float32", "bfloat16", "float32"),
    ],
)
def test_dtype(given: str | None, declared: str | None, explicit: str) -> None:
    config = {**CONFIG, "torch_dtype": declared}
    options, _ = spell_out(ServeOptions(tensor_parallel_size=2, dtype=given), config, "inf2", 1)
    assert options.dtype == explicit


def test_the_smallest_degree_that_fits_is_chosen() -> None:
    small, _ = spell_out(ServeOptions(), {**CONFIG, "num_hidden_layers": 1}, "inf2", 1)
    large, _ = spell_out(ServeOptions(), {**CONFIG, "num_hidden_layers": 200}, "inf2", 1)
    assert small.tensor_parallel_size is not None
    assert large.tensor_parallel_size is not None
    assert small.tensor_parallel_size < large.tensor_parallel_size
