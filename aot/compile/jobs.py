"""A plan as the document that the runner reads (``job.json``, without the directories, which the engine knows)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aot.compile.local import SIMULATOR_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aot.compile.remedies import Remedy
    from aot.plan import BuildPlan

SCHEMA_VERSION = 1
USAGE_CONTEXT = "OPENAI_API_SERVER"


def job_document(
    plan: BuildPlan, remedies: Sequence[Remedy], *, jobs: int, expected_fingerprint: str | None
) -> dict[str, Any]:
    """What the runner is to do.

    ``expected_fingerprint`` stops it before the compile when it finds another one; None compiles anyway.
    """
    environment = plan.request.environment()
    if plan.request.compiler_flags is not None:
        environment["NEURON_CC_FLAGS"] = plan.request.compiler_flags
    engine_args = plan.options.engine_args()
    if plan.request.trust_remote_code:
        engine_args["trust_remote_code"] = True
    return {
        "schema_version": SCHEMA_VERSION,
        "action": "compile",
        "target": plan.target,
        "model_path": plan.model.path,
        "engine_args": engine_args,
        "usage_context": USAGE_CONTEXT,
        "environment": environment,
        "patches": [{"id": p.id, "parameters": p.parameters} for remedy in remedies for p in remedy.patches],
        "jobs": jobs,
        "expected_fingerprint": expected_fingerprint,
    }


def simulator_environment(toolchain: str) -> dict[str, str]:
    """Variables of the simulator: which release it plays, and the switches a user or a test has set."""
    switches = {name: value for name, value in os.environ.items() if name.startswith(SIMULATOR_PREFIX)}
    return {**switches, f"{SIMULATOR_PREFIX}TOOLCHAIN": toolchain}
