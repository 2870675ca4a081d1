"""What ``plan --exact`` found, as JSON and as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from aot.exact import Exact
    from aot.plan import BuildPlan

SAID = {
    "equal": "equal to the prediction",
    "different": "DIFFERENT from the prediction",
    "not predicted": "not predicted",
}


def as_document(planned: BuildPlan, found: Exact) -> dict[str, Any]:
    """The plan's document; ``fingerprint`` gains what was found, ``exact`` says by what."""
    fields: dict[str, Any] = msgspec.to_builtins(planned)
    fields["fingerprint"].update(
        found=found.found,
        found_canonical_json=found.canonical_json,
        verdict=found.verdict(planned.fingerprint.predicted),
        differences=[msgspec.to_builtins(field) for field in found.differences(planned)],
    )
    fields["exact"] = {
        "architecture": found.architecture,
        "model_class": found.model_class,
        "versions": found.versions,
        "platform": found.platform,
        "simulated": found.simulated,
    }
    return fields


def lines(planned: BuildPlan, found: Exact) -> list[str]:
    """Lines below the predicted fingerprint: what was found, by whom, and every field that differs."""
    by = "the simulator" if found.simulated else "the server's own code"
    verdict = SAID[found.verdict(planned.fingerprint.predicted)]
    differing = [
        f"  {field.path}: {json.dumps(field.left)} predicted, {json.dumps(field.right)} found"
        for field in found.differences(planned)
    ]
    return [f"{found.found} found by {by}: {verdict}", *differing]
