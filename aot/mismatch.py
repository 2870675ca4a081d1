"""When the fingerprint found in the image is not the predicted one: stop, and say why, causes first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from aot.explain.compare import Explanation
    from aot.plan import BuildPlan

SHOWN = 5


def explained(plan: BuildPlan, found_canonical: str) -> AotError:
    """The error for a found configuration that is not the predicted one; ``facts`` holds every differing field.

    Plan and image were given the same inputs, so a cause here says which input the image behaves as if it had got.
    """
    from dataclasses import asdict

    explanation = _explanation(plan, found_canonical)
    fields = [field for cause in explanation.causes for field in cause.fields] + [*explanation.unattributed]
    fields.sort(key=lambda field: field.path)
    shown = "; ".join(f"{field.path}: {field.left!r} -> {field.right!r}" for field in fields[:SHOWN])
    more = f" and {len(fields) - SHOWN} more" if len(fields) > SHOWN else ""
    return AotError(
        ErrorId.FINGERPRINT_MISMATCH,
        reason=(
            f"{_who(plan)} computes another fingerprint than predicted{_as_if(explanation)}; "
            f"predicted -> found: {shown or 'the same fields, spelled differently'}{more}"
        ),
        remedy=_remedy(plan),
        facts={
            "differences": [{"path": field.path, "left": field.left, "right": field.right} for field in fields],
            "causes": [asdict(cause) for cause in explanation.causes],
        },
    )


def _who(plan: BuildPlan) -> str:
    return "the simulator" if plan.simulated else "the server's own code"


def _remedy(plan: BuildPlan) -> str:
    """What to do; an artifact that was stored with --allow-mismatch is met here too."""
    check = "the lock names the toolchain's own image"
    if plan.simulated:
        check = "no AOT_SIMULATOR_PERTURB is set: simulator and prediction are both aot's, and one of them is wrong"
    return (
        f"check that {check}; --allow-mismatch accepts the difference, --rebuild replaces an artifact stored that way; "
        "please report it"
    )


def _explanation(plan: BuildPlan, found_canonical: str) -> Explanation:
    from aot import toolchain
    from aot.explain.compare import explain
    from aot.explain.inputs import Known
    from aot.explain.side import Side

    known = Known(
        model_dir=plan.model.path,
        engine_args=plan.options.engine_args(),
        env=plan.serving.environment,
        detected_platform=plan.target,
        toolchain=plan.toolchain.name,
    )
    predicted = json.loads(plan.fingerprint.canonical_json or "{}")
    return explain(
        Side(label="predicted", kind="plan", known=known, document=predicted),
        Side(label="found", kind="neuron_config", document=json.loads(found_canonical)),
        toolchain.load_profile,
        plan.toolchain.name,
    )


def _as_if(explanation: Explanation) -> str:
    from aot.explain.render import shown

    if not explanation.causes:
        return ""
    causes = [f"{each.name} were {shown(each.right)} instead of {shown(each.left)}" for each in explanation.causes]
    more = f" and {len(causes) - SHOWN} more" if len(causes) > SHOWN else ""
    return f", as if {', '.join(causes[:SHOWN])}{more}"
