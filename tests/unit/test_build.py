"""What a build hands to the attempts, without running one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aot import build, plan, resolve
from aot.compile import attempts
from aot.progress import Silent
from aot.request import BuildRequest, ServeOptions
from tests.support.cli import EXAMPLE


class Stop(Exception):  # noqa: N818 - ends the test where the engine would start
    pass


class Store:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def cache(self, key: str) -> Path:
        return self._directory / key


@pytest.mark.parametrize(("sampling", "known"), [({}, True), (None, False)])
def test_a_compiler_failure_is_judged_by_the_plans_logits(
    sampling: Any, known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def run(*_arguments: Any, **given: Any) -> None:
        seen.update(given)
        raise Stop

    monkeypatch.setattr(attempts, "run", run)
    override = {"override_neuron_config": {"on_device_sampling_config": sampling}}
    options = ServeOptions(tensor_parallel_size=2, max_model_len=2048, max_num_seqs=2, additional_config=override)
    request = BuildRequest(model=str(EXAMPLE), options=options, simulate=True)
    inputs = resolve.resolve(request, tmp_path / "aot.lock", Silent())
    parts: Any = (inputs, plan.make(inputs), None, Store(tmp_path), None, build.Settings(lock_path=tmp_path), Silent())
    staging = tmp_path / "staging"
    staging.mkdir()
    with pytest.raises(Stop):
        build._Compile(*parts)._compile(staging)
    assert (seen["logits"] is not None) is known
