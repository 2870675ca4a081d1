"""When the fingerprint found in the image is not the predicted one: stop, and say field by field why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from aot.plan import BuildPlan

SHOWN = 5


def explained(plan: BuildPlan, found_canonical: str) -> AotError:
    """The error for a found configuration that is not the predicted one; ``facts`` holds every differing field."""
    from aot.fingerprint.explain import differences

    fields = differences(json.loads(plan.fingerprint.canonical_json or "{}"), json.loads(found_canonical))
    shown = "; ".join(f"{field.path}: {field.left!r} -> {field.right!r}" for field in fields[:SHOWN])
    more = f" and {len(fields) - SHOWN} more" if len(fields) > SHOWN else ""
    return AotError(
        ErrorId.FINGERPRINT_MISMATCH,
        reason=(
            "the server's own code computes another fingerprint than predicted; "
            f"predicted -> found: {shown or 'the same fields, spelled differently'}{more}"
        ),
        remedy=(
            "check that the lock names the toolchain's own image; build with --allow-mismatch to trust the image, and "
            "please report the difference"
        ),
        facts={"differences": [msgspec.to_builtins(field) for field in fields]},
    )
