"""``plan --exact``: the fingerprint as the server's own code computes it, in the image, beside the predicted one.

Nothing is compiled and no store is needed. It also answers where our rules do not reach.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aot import plan, resolve
from aot.compile import jobs, once
from aot.compile.result import read_canonical

if TYPE_CHECKING:
    from collections.abc import Callable

    from aot.compile.engine import Engine
    from aot.compile.jobs import RunSettings
    from aot.compile.result import RunnerResult
    from aot.fingerprint.explain import Difference
    from aot.plan import BuildPlan
    from aot.progress import Progress
    from aot.request import BuildRequest
    from aot.resolve import Inputs

SCRATCH_BYTES = 1 << 30
"""Disk for what importing the packages leaves in caches (an estimate)."""

Verdict = Literal["equal", "different", "not predicted"]


@dataclass(frozen=True)
class Exact:
    """What the image found. ``canonical_json`` is the text whose md5 is ``found``, character by character."""

    found: str
    canonical_json: str
    architecture: str | None
    model_class: str | None
    versions: dict[str, str | None]
    platform: dict[str, Any] | None
    simulated: bool

    def verdict(self, predicted: str | None) -> Verdict:
        """How the prediction compares."""
        if predicted is None:
            return "not predicted"
        return "equal" if predicted == self.found else "different"

    def differences(self, planned: BuildPlan) -> list[Difference]:
        """Fields that differ, predicted on the left; empty where nothing was predicted."""
        from aot.fingerprint.explain import differences

        if planned.fingerprint.canonical_json is None:
            return []
        return differences(json.loads(planned.fingerprint.canonical_json), json.loads(self.canonical_json))


def run(
    request: BuildRequest, make_engine: Callable[[], Engine], settings: RunSettings, progress: Progress
) -> tuple[BuildPlan, Exact]:
    """Plan, then ask the image. Locks the toolchain's image first, as a build does.

    Raises any ``AotError`` of planning, of the engine and of the runner; a difference is no error here.
    """
    inputs = resolve.resolve(request, settings.lock_path, progress)
    planned = plan.make(inputs)
    pinned = resolve.locked(inputs, settings.lock_path, progress)
    if pinned is not inputs:
        inputs, planned = pinned, plan.make(pinned)
    return planned, find(inputs, planned, make_engine(), settings, progress)


def find(inputs: Inputs, planned: BuildPlan, engine: Engine, settings: RunSettings, progress: Progress) -> Exact:
    """Run the runner's action ``fingerprint`` on the plan, in a directory that is gone afterwards."""
    simulates = inputs.toolchain.name if planned.simulated else None
    place = jobs.where(inputs.toolchain.python, inputs.pin.reference if inputs.pin else None, simulates, settings)
    with tempfile.TemporaryDirectory(prefix="aot-exact-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        jobs.make_ready(engine, directory, place, settings, progress, scratch_bytes=SCRATCH_BYTES)
        jobs.make_directories(directory)
        inputs.snapshot.materialise(directory / "model")
        cache = directory / "cache"
        cache.mkdir()
        document = jobs.job_document(planned, action="fingerprint")
        job = jobs.make_job(directory, cache, document, place, settings)
        result = once.run(engine, job, "compute the fingerprint in the image", progress)
        return _exact(result, read_canonical(job.output_dir, result))


def _exact(result: RunnerResult, text: str) -> Exact:
    assert result.fingerprint is not None  # noqa: S101 - read_canonical compared it with the text's md5
    return Exact(
        found=result.fingerprint.md5,
        canonical_json=text,
        architecture=result.architecture,
        model_class=result.model_class,
        versions=result.versions,
        platform=result.platform,
        simulated=result.simulated,
    )
