"""A plan says which of its inputs change the hash silently."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aot import plan, resolve
from aot.progress import Silent
from aot.request import BuildRequest, ServeOptions
from tests.support.cli import EXAMPLE


def warnings(tmp_path: Path, config: dict[str, Any] | None = None, **request: Any) -> list[str]:
    options = request.pop("options", ServeOptions(tensor_parallel_size=2))
    asked = BuildRequest(model=str(EXAMPLE), options=options, simulate=True, **request)
    inputs = resolve.resolve(asked, tmp_path / "aot.lock", Silent())
    if config is not None:
        inputs = replace(inputs, snapshot=replace(inputs.snapshot, config=config))
    return plan.make(inputs).warnings


def test_a_plain_request_has_none(tmp_path: Path) -> None:
    assert warnings(tmp_path) == []


def test_an_odd_path_is_said_once(tmp_path: Path) -> None:
    (only,) = warnings(tmp_path, path="/models/x/")
    assert "a trailing slash" in only


def test_a_config_without_transformers_version(tmp_path: Path) -> None:
    inputs = resolve.resolve(BuildRequest(model=str(EXAMPLE), simulate=True), tmp_path / "aot.lock", Silent())
    config = {name: value for name, value in inputs.snapshot.config.items() if name != "transformers_version"}
    assert "4.57.6" in warnings(tmp_path, config)[0]


@pytest.mark.parametrize("blocks", [None, 64])
def test_a_length_that_is_no_multiple_of_the_block_size(tmp_path: Path, blocks: int | None) -> None:
    options = ServeOptions(
        tensor_parallel_size=2,
        max_model_len=1000 if blocks else 1024,
        enable_prefix_caching=True,
        num_gpu_blocks_override=blocks,
    )
    found = [text for text in warnings(tmp_path, options=options) if "no multiple" in text]
    assert len(found) == (1 if blocks else 0)
