"""From a plan and what the runner found to the record, and to the build report that stays outside the digest."""

from __future__ import annotations

import datetime
import json
import platform
from typing import TYPE_CHECKING, Any

import msgspec

from aot import __version__, host
from aot.artifact.record import (
    AppliedRemedy,
    EosFact,
    FileFact,
    FingerprintFact,
    ModelFact,
    PlatformFact,
    Record,
    RecordedRequest,
    RemedyServing,
    Serving,
    ToolchainFact,
)
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aot.check.eos_report import EosReport
    from aot.compile.attempts import Attempt, AttemptsOutcome
    from aot.compile.result import RunnerResult
    from aot.plan import BuildPlan

SIMULATED_NOTE = "SIMULATED: built by a stand-in for AWS's image; no Neuron device can run it"


def record(plan: BuildPlan, outcome: AttemptsOutcome, eos: EosReport, *, mismatch_allowed: bool) -> Record:
    """The deterministic facts of a finished compile. Raises ``RUNNER_FAILED`` when the runner left one out."""
    result = outcome.result
    if plan.key is None or result.fingerprint is None or result.architecture is None or result.model_class is None:
        raise AotError(
            ErrorId.RUNNER_FAILED,
            reason="the runner reported success without saying what it compiled",
            remedy="check that the image is the toolchain's own, unchanged",
        )
    if result.simulated != plan.simulated:
        raise AotError(
            ErrorId.RUNNER_FAILED,
            reason=f"a {'simulated' if result.simulated else 'real'} image was run where the other was asked for",
            remedy="check which image the lock or --simulator-image names",
        )
    return Record(
        simulated=plan.simulated,
        note=SIMULATED_NOTE if plan.simulated else None,
        key=plan.key,
        request=_request(plan),
        toolchain=ToolchainFact(
            name=plan.toolchain.name,
            sdk=plan.toolchain.sdk,
            image=plan.toolchain.image,
            digest=plan.toolchain.digest,
            components=plan.toolchain.components,
        ),
        model=_model(plan),
        fingerprint=FingerprintFact(
            found=result.fingerprint.md5,
            predicted=plan.fingerprint.predicted,
            predicted_reason=plan.fingerprint.reason,
            mismatch_allowed=mismatch_allowed and plan.fingerprint.predicted not in (None, result.fingerprint.md5),
        ),
        canonical_json=outcome.canonical_json,
        architecture=result.architecture,
        model_class=result.model_class,
        platform=_platform(plan, result),
        remedies=_remedies(outcome),
        eos=EosFact(
            ok=eos.ok,
            stop_ids=list(eos.stop_ids),
            sources=msgspec.to_builtins(eos.sources),
            findings=eos.recorded_findings,
        ),
        serving=Serving(
            flags=plan.serving.flags, model_path=plan.model.path, environment=_serving_environment(plan, outcome)
        ),
        versions=_versions(plan, result),
    )


def _versions(plan: BuildPlan, result: RunnerResult) -> dict[str, str]:
    """Versions of the image's packages. A simulator borrows somebody's Python: that is no fact about the artifact."""
    left_out = {"python"} if plan.simulated else set()
    return {name: text for name, text in sorted(result.versions.items()) if text and name not in left_out}


def _request(plan: BuildPlan) -> RecordedRequest:
    # Not the revision as spelled: "main" and its commit are one key and must give one digest.
    return RecordedRequest(
        model=plan.model.id,
        target=plan.target,
        options=plan.options,
        path=plan.model.path,
        trust_remote_code=plan.request.trust_remote_code,
        with_weights=plan.request.with_weights,
        logical_nc_config=plan.request.logical_nc_config,
        compiler_flags=plan.request.compiler_flags,
        remedies=plan.request.remedies,
    )


def _model(plan: BuildPlan) -> ModelFact:
    files = {name: FileFact(fact.size, fact.sha256) for name, fact in plan.model.files.items() if fact.sha256}
    return ModelFact(id=plan.model.id, path=plan.model.path, commit=plan.model.commit, files=files)


def _platform(plan: BuildPlan, result: RunnerResult) -> PlatformFact:
    found = result.platform or {}
    return PlatformFact(
        target=plan.target,
        override=found.get("override"),
        hardware_member=found.get("hardware_member"),
        hardware_alias_applied=bool(found.get("hardware_alias_applied")),
        native_gqa=found.get("native_gqa"),
    )


def _remedies(outcome: AttemptsOutcome) -> list[AppliedRemedy]:
    """Remedies in force that shaped the artifact, each with its error and with what its patches touched.

    A mere retry leaves no trace in what was built: it is told in the report, or a bad network would change the digest.
    """
    errors = [attempt.error for attempt in outcome.attempts]
    reports = {report.id: report for report in outcome.result.patches}
    applied = []
    for number, remedy in enumerate(outcome.remedies):
        if not (remedy.changes_neff or remedy.changes_fingerprint):
            continue
        used = [reports[patch.id] for patch in remedy.patches if patch.id in reports]
        applied.append(
            AppliedRemedy(
                id=remedy.id,
                error=errors[number] or "unknown",
                patches=[{"id": r.id, "target": r.target, "parameters": r.parameters} for r in used],
                applications=_in_order([each for r in used for each in r.applications]),
                serving=RemedyServing(environment=dict(remedy.serve_environment)),
            )
        )
    return applied


def _in_order(applications: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Buckets are traced by several threads: the order in which a patch met them is chance, and must not show."""
    return sorted(applications, key=lambda each: json.dumps(each, sort_keys=True))


def _serving_environment(plan: BuildPlan, outcome: AttemptsOutcome) -> dict[str, str]:
    environment = dict(plan.serving.environment)
    for remedy in outcome.remedies:
        environment |= remedy.serve_environment
    return environment


def build_report(plan: BuildPlan, attempts: Sequence[Attempt], engine: str, started: float) -> dict[str, Any]:
    """What differs from build to build: durations, log tails, the host. Attached as a referrer."""
    memory = host.memory()
    return {
        "schema_version": 1,
        "key": plan.key,
        "aot": __version__,
        "engine": engine,
        "started": datetime.datetime.fromtimestamp(started, datetime.UTC).isoformat(timespec="seconds"),
        "attempts": [msgspec.to_builtins(attempt) for attempt in attempts],
        "host": {
            "machine": host.machine(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "memory_bytes": memory.total if memory else None,
        },
    }
