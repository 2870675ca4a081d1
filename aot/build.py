"""BuildRequest -> artifact in a store: the whole street, one step after another.

Nothing is compiled twice: what the store holds under the request's key is returned at once, and of two builds of one
key at the same time the second waits for the first. Nothing is half written: files lie in a staging directory of the
store until the image is complete.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from aot import mismatch, plan, resolve
from aot.artifact import facts
from aot.check import eos
from aot.compile import attempts, jobs, prediction
from aot.compile.engine import SCRATCH_BYTES
from aot.compile.jobs import RunSettings
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aot.check.eos_report import EosReport
    from aot.compile.attempts import Attempt, AttemptsOutcome
    from aot.compile.engine import Engine, Job
    from aot.compile.jobs import Where
    from aot.compile.remedies import Remedy
    from aot.plan import BuildPlan
    from aot.progress import Progress
    from aot.request import BuildRequest
    from aot.resolve import Inputs
    from aot.storage.local import LocalStore
    from aot.storage.stored import Stored


@dataclass(frozen=True, kw_only=True)
class Settings(RunSettings):
    """How to build, as opposed to what: none of this changes the key. ``jobs`` compilers run at once."""

    eos: Literal["error", "warn", "off"] = "error"
    allow_mismatch: bool = False
    attempts: int = 3
    jobs: int = 2
    rebuild: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a build ends with; ``attempts`` is empty when the artifact was there already."""

    plan: BuildPlan
    stored: Stored
    attempts: tuple[Attempt, ...]
    downloaded_bytes: int
    reused: bool


def build(
    request: BuildRequest,
    store: LocalStore,
    make_engine: Callable[[], Engine],
    settings: Settings,
    progress: Progress,
) -> Outcome:
    """Build, or find, the artifact for ``request``. Raises any ``AotError``; the store is whole whatever happens.

    ``make_engine`` is called only when something has to be compiled.
    """
    store.open_or_create()
    if store.swept:
        _reap(make_engine(), progress)
    with progress.group(f"resolve {request.model}"):
        inputs = resolve.resolve(request, settings.lock_path, progress)
        planned = plan.make(inputs)
        _say_plan(planned, inputs, progress)
    found = _find(store, planned, settings, progress)
    if found is not None:
        return _reused(planned, found, inputs, settings, progress)
    with progress.group("check that generation can stop"):
        report = _check_eos(inputs, planned, settings, progress)
    pinned = resolve.locked(inputs, settings.lock_path, progress)
    if pinned is not inputs:
        inputs, planned = pinned, plan.make(pinned)
    assert planned.key is not None  # noqa: S101 - the image is pinned now, or this is a simulation
    with store.lock(planned.key, progress.heartbeat):
        found = _find(store, planned, settings, progress)
        if found is not None:
            return _reused(planned, found, inputs, settings, progress)
        stored, done = _Compile(inputs, planned, report, store, make_engine(), settings, progress).run()
    return Outcome(planned, stored, done, inputs.snapshot.downloaded_bytes, reused=False)


def _reap(engine: Engine, progress: Progress) -> None:
    """A build that was killed here may have left a container behind, whether or not this one will need an engine."""
    try:
        jobs.reap(engine, progress)
    except AotError as problem:
        progress.warn(f"a killed build may have left a container behind, and cannot be cleaned up: {problem.reason}")


def _find(store: LocalStore, planned: BuildPlan, settings: Settings, progress: Progress) -> Stored | None:
    if planned.key is None or settings.rebuild:
        return None
    return store.find(planned.key, progress.warn)


def _say_plan(planned: BuildPlan, inputs: Inputs, progress: Progress) -> None:
    if planned.simulated:
        progress.warn("SIMULATED: a stand-in plays AWS's image; nothing built here runs on a Neuron device")
    commit = planned.model.commit or "local directory"
    progress.info(
        f"{planned.model.id} @ {commit}: downloaded {inputs.snapshot.downloaded_bytes} bytes, no weights needed"
    )
    progress.info(f"plan: {planned.target}, {planned.toolchain.name}, key {planned.key or 'not known yet'}")
    predicted = planned.fingerprint.predicted or f"none: {planned.fingerprint.reason}"
    progress.info(f"fingerprint predicted: {predicted}")
    for choice in planned.chosen:
        progress.info(f"  chosen: {choice}")
    for warning in planned.warnings:
        progress.warn(warning)
    for risk in planned.risks:
        progress.info(f"risk: {risk.error} ({risk.confidence}): {risk.why}")


def _reused(planned: BuildPlan, found: Stored, inputs: Inputs, settings: Settings, progress: Progress) -> Outcome:
    """What the store holds, unless it was built under looser rules than this build's."""
    progress.info(f"already built: {found.digest}")
    if settings.eos == "error" and not found.record.eos.ok:
        raise AotError(
            ErrorId.EOS_FAILED,
            reason=f"{found.digest} was built although its EOS check failed",
            remedy="see `aot eos check`; --eos warn accepts it",
            facts={"eos": msgspec.to_builtins(found.record.eos)},
        )
    predicted = planned.fingerprint.predicted
    # Compared anew: the predictor is not in the key, and may have learned since.
    if predicted not in (None, found.record.fingerprint.found) and not settings.allow_mismatch:
        raise mismatch.explained(planned, found.record.canonical_json)
    return Outcome(planned, found, (), inputs.snapshot.downloaded_bytes, reused=True)


def _check_eos(inputs: Inputs, planned: BuildPlan, settings: Settings, progress: Progress) -> EosReport:
    """The static check; an error stops the build unless the policy is ``warn`` or ``off``. Raises ``EOS_FAILED``."""
    report = eos.check(inputs.snapshot.contents(), planned.options)
    if settings.eos == "off":
        return report
    for finding in report.findings:
        if finding.severity != "info":
            progress.warn(f"eos: {finding.reason}. {finding.remedy}")
    errors = [finding for finding in report.findings if finding.severity == "error"]
    if errors and settings.eos == "error":
        raise AotError(
            ErrorId.EOS_FAILED,
            reason="; ".join(finding.reason for finding in errors),
            remedy=f"{errors[0].remedy} (--eos warn builds all the same)",
            facts={"eos": report.to_json()},
        )
    progress.info(f"stops on {', '.join(map(str, report.stop_ids)) or 'nothing'}")
    return report


class _Compile:
    """The part of a build that runs a container."""

    def __init__(
        self,
        inputs: Inputs,
        planned: BuildPlan,
        report: EosReport,
        store: LocalStore,
        engine: Engine,
        settings: Settings,
        progress: Progress,
    ) -> None:
        self._inputs, self._plan, self._eos = inputs, planned, report
        self._store, self._engine, self._settings, self._progress = store, engine, settings, progress

    def run(self) -> tuple[Stored, tuple[Attempt, ...]]:
        """Compile, pack, put; the report of all attempts is attached outside the artifact's digest."""
        started = time.time()
        with self._store.staging() as staging:
            jobs.make_ready(
                self._engine, staging, self._place(), self._settings, self._progress, scratch_bytes=SCRATCH_BYTES
            )
            outcome = self._compile(staging)
            with self._progress.group("pack"):
                stored = self._put(outcome, staging)
        report = facts.build_report(self._plan, outcome.attempts, self._engine.name, started)
        self._store.attach_report(stored.digest, report)
        self._store.drop_cache(stored.key)
        return stored, outcome.attempts

    def _compile(self, staging: Path) -> AttemptsOutcome:
        jobs.make_directories(staging)
        self._inputs.snapshot.materialise(staging / "model")
        cache = self._store.cache(str(self._plan.key))
        try:
            return attempts.run(
                self._engine,
                lambda remedies: self._job(staging, cache, remedies),
                attempts.Policy(remedies=self._plan.remedies == "auto", attempts=self._settings.attempts),
                self._progress,
                logits=prediction.logits_of(self._inputs.snapshot.config, self._plan.options),
            )
        except attempts.FingerprintMismatch as found:
            raise mismatch.explained(self._plan, found.canonical_json) from None

    def _put(self, outcome: AttemptsOutcome, staging: Path) -> Stored:
        from aot.artifact.image import pack

        made = facts.record(self._plan, outcome, self._eos, mismatch_allowed=self._settings.allow_mismatch)
        packed_dir = staging / "packed"
        packed_dir.mkdir()
        return self._store.put(pack(made, outcome.output_dir, packed_dir))

    def _job(self, staging: Path, cache: Path, remedies: Sequence[Remedy]) -> Job:
        document = jobs.job_document(
            self._plan, remedies, jobs=self._settings.jobs, expected_fingerprint=self._expected()
        )
        return jobs.make_job(staging, cache, document, self._place(), self._settings)

    def _place(self) -> Where:
        chain, pin = self._plan.toolchain, self._inputs.pin
        simulates = chain.name if self._plan.simulated else None
        return jobs.where(chain.python, pin.reference if pin else None, simulates, self._settings)

    def _expected(self) -> str | None:
        """What the runner must find before it compiles: a mismatch is to cost seconds, not an hour."""
        return None if self._settings.allow_mismatch else self._plan.fingerprint.predicted
