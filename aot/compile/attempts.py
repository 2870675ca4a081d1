"""Compile, read what went wrong, choose a remedy, try again: bounded, and every attempt recorded."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from aot.compile import neuron_cache
from aot.compile.explain import HOW_TO_FILE, sentence
from aot.compile.failure import FailedModule
from aot.compile.known_errors import recognise
from aot.compile.remedies import Remedy, next_remedy
from aot.compile.result import RunnerResult, missing_files, read_canonical, read_result
from aot.compile.verdict import Verdict, judge, unreadable
from aot.compile.watch import Watcher
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aot.compile.engine import Engine, Exit, Job
    from aot.compile.topk import Logits
    from aot.progress import Progress

TAIL_IN_REPORT = 60
TAIL_IN_ERROR = 20
FAILURES_IN_REPORT = 16


@dataclass(frozen=True)
class Policy:
    """How far to go: at most ``attempts`` compiles, with remedies or without."""

    remedies: bool = True
    attempts: int = 3


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One compile, as the report and ``--json`` show it. ``remedy`` is the one this attempt began to apply."""

    outcome: Literal["compiled", "failed"]
    error: str | None
    remedy: str | None
    seconds: float
    exit_status: int
    signal: str | None = None
    graph: str | None = None
    bucket: str | None = None
    code: str | None = None
    message: str | None = None
    failures: tuple[FailedModule, ...] = ()
    purged: tuple[str, ...] = ()
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True)
class AttemptsOutcome:
    """A successful end: ``output_dir`` is the last attempt's, ``remedies`` all that were in force then.

    ``canonical_json`` is the text whose md5 is the fingerprint found, character by character.
    """

    attempts: tuple[Attempt, ...]
    result: RunnerResult
    canonical_json: str
    output_dir: Path
    remedies: tuple[Remedy, ...]


class FingerprintMismatch(Exception):  # noqa: N818 - an outcome, turned into an AotError by the caller
    """The runner found another fingerprint than the job expects, and did not compile."""

    def __init__(self, canonical_json: str) -> None:
        super().__init__("fingerprint mismatch")
        self.canonical_json = canonical_json


def run(
    engine: Engine,
    make_job: Callable[[Sequence[Remedy]], Job],
    policy: Policy,
    progress: Progress,
    *,
    logits: Logits | None = None,
) -> AttemptsOutcome:
    """Compile until it works or nothing is left to try.

    ``make_job`` builds the job for the remedies in force; each attempt gets a fresh directory below its
    ``output_dir``, and that of a failed attempt is removed. ``logits`` is the request's top-k operand, for the
    arithmetic of NCC_IXCG856. Every ``AotError`` carries ``facts["attempts"]``.
    """
    return _Attempts(engine, make_job, policy, progress, logits).run()


def _read_back(output_dir: Path, ended: Exit, watcher: Watcher) -> tuple[RunnerResult | None, str, Verdict]:
    """What an attempt left: its result, the text that was hashed, and what to make of both."""
    failures = watcher.failures()
    try:
        result = read_result(output_dir)
        if result is not None and result.error is not None and result.error.kind == "mismatch":
            raise FingerprintMismatch(read_canonical(output_dir, result))
        absent = missing_files(output_dir) if result and result.outcome == "compiled" else []
        verdict = judge(ended, result, absent, failures)
        return result, read_canonical(output_dir, result) if verdict.ok and result else "", verdict
    except AotError as problem:
        return None, "", unreadable(problem, failures)


class _Attempts:
    def __init__(
        self,
        engine: Engine,
        make_job: Callable[[Sequence[Remedy]], Job],
        policy: Policy,
        progress: Progress,
        logits: Logits | None,
    ) -> None:
        self._engine, self._make_job, self._policy = engine, make_job, policy
        self._progress, self._logits = progress, logits
        self._done: list[Attempt] = []
        self._remedies: list[Remedy] = []
        self._purged: tuple[str, ...] = ()

    def run(self) -> AttemptsOutcome:
        try:
            return self._run()
        except AotError as problem:
            problem.facts.setdefault("attempts", [msgspec.to_builtins(attempt) for attempt in self._done])
            raise

    def _run(self) -> AttemptsOutcome:
        while True:
            job = self._fresh_job()
            watcher = Watcher(self._progress)
            with self._progress.group(f"compile, attempt {len(self._done) + 1} of at most {self._policy.attempts}"):
                ended = self._engine.run(job, watcher)
            result, text, verdict = _read_back(job.output_dir, ended, watcher)
            self._record(verdict, ended, watcher)
            if verdict.ok and result is not None:
                return AttemptsOutcome(tuple(self._done), result, text, job.output_dir, tuple(self._remedies))
            shutil.rmtree(job.output_dir, ignore_errors=True)
            self._explain(verdict)
            self._prepare_next(verdict, job, watcher)

    def _fresh_job(self) -> Job:
        job = self._make_job(tuple(self._remedies))
        output = job.output_dir / f"attempt-{len(self._done) + 1}"
        if output.exists():
            shutil.rmtree(output)
        output.mkdir(parents=True)
        return dataclasses.replace(job, output_dir=output)

    def _record(self, verdict: Verdict, ended: Exit, watcher: Watcher) -> None:
        main = verdict.failure
        applied = self._remedies[-1].id if self._remedies else None
        self._done.append(
            Attempt(
                outcome="compiled" if verdict.ok else "failed",
                error=verdict.error,
                remedy=applied,
                seconds=round(ended.seconds, 3),
                exit_status=ended.status,
                signal=ended.signal,
                graph=main.graph if main else None,
                bucket=main.bucket if main else None,
                code=main.code if main else None,
                message=(main.message if main else None) or verdict.message,
                failures=verdict.failures[:FAILURES_IN_REPORT],
                purged=self._purged,
                log_tail=() if verdict.ok else watcher.tail(TAIL_IN_REPORT),
            )
        )

    def _explain(self, verdict: Verdict) -> None:
        """Say in plain words what was found."""
        for failed in verdict.failures[:3]:
            self._progress.warn(sentence(failed, self._logits))

    def _prepare_next(self, verdict: Verdict, job: Job, watcher: Watcher) -> None:
        """Choose a remedy and clean the cache for the next attempt, or raise."""
        if (end := verdict.ending) is not None:
            facts = {"log_tail": list(watcher.tail(TAIL_IN_ERROR))}
            raise AotError(end.error_id, reason=end.reason, remedy=end.remedy, facts=facts)
        remedy = self._choose(verdict)
        if remedy is None or len(self._done) >= self._policy.attempts:
            raise self._given_up(verdict, remedy)
        self._remedies.append(remedy)
        keeps = "the fingerprint stays" if not remedy.changes_fingerprint else "the fingerprint changes"
        neff = "the NEFF changes" if remedy.changes_neff else "the NEFF is what it would have been"
        self._progress.info(f"applying remedy {remedy.id}: {remedy.does} ({remedy.confidence}); {keeps}, {neff}")
        # The cache would hand the failure out again: https://github.com/aws-neuron/aws-neuron-sdk/issues/1023
        self._purged = tuple(neuron_cache.purge_failed(job.cache_dir))
        if self._purged:
            self._progress.info(f"removed {len(self._purged)} failed entries from the compile cache")

    def _choose(self, verdict: Verdict) -> Remedy | None:
        if not self._policy.remedies:
            return None
        tried = {remedy.id for remedy in self._remedies}
        found = (next_remedy(error, tried) for error in verdict.errors)
        return next((remedy for remedy in found if remedy is not None), None)

    def _given_up(self, verdict: Verdict, remedy: Remedy | None) -> AotError:
        known = recognise(verdict.failure) if verdict.failure else None
        if not self._policy.remedies:
            why = "remedies are switched off"
        elif remedy is not None:
            why = f"the limit of {self._policy.attempts} attempts is reached"
        elif self._remedies:
            why = f"{', '.join(tried.id for tried in self._remedies)} did not help, and nothing else is left to try"
        else:
            why = "aot knows no remedy that it could apply by itself"
        return AotError(
            ErrorId.COMPILE_FAILED,
            reason=f"{verdict.message}; {why}",
            remedy=known.workaround if known else HOW_TO_FILE,
        )
