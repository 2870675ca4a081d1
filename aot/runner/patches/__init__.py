"""Named, recorded changes to the image's Python code.

Each module here defines ``ID``, ``TARGET`` (``module.attribute``) and ``apply(parameters, note)``. A patch whose target
is gone, or is not what the patch was written against, raises ``PatchTargetMissing``: an artifact must never claim a
repair that was not made.
"""

from __future__ import annotations

import importlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..failures import PatchTargetMissing, RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from ..events import Events
    from ..job import PatchRequest
    from ..results import Result

# Remedies that a job may ask for. The hardware alias and the bound on jobs are applied by the runner itself.
REMEDIES = {"pad-topk": ".pad_topk"}


@dataclass
class PatchRecord:
    """One applied patch, as ``result.json`` holds it; ``applications`` are the distinct places where it took effect."""

    id: str
    target: str
    parameters: dict[str, Any] = field(default_factory=dict)
    applications: list[dict[str, Any]] = field(default_factory=list)


class Patcher:
    """Applies patch modules and keeps the books: records in the result, events on stdout."""

    def __init__(self, events: Events, result: Result) -> None:
        self._events = events
        self._result = result

    def apply(self, module: ModuleType, parameters: dict[str, Any]) -> bool:
        """Apply one patch module; False when it found nothing to do (only patches that say so may)."""
        record = PatchRecord(module.ID, module.TARGET, dict(parameters))
        applied = module.apply(parameters, self._note(record)) is not False
        self._events.emit("patch", id=record.id, target=record.target, applied=applied)
        if applied:
            self._result.patches.append(document := asdict(record))
            record.applications = document["applications"]  # later notes go into the recorded document
        return applied

    def apply_requested(self, requests: tuple[PatchRequest, ...]) -> None:
        """Apply the remedies of a job in order; an unknown id is refused."""
        for request in requests:
            if request.id not in REMEDIES:
                raise RunnerError("internal", f"unknown patch {request.id!r}; known: {sorted(REMEDIES)}")
            self.apply(importlib.import_module(REMEDIES[request.id], __name__), request.parameters)

    def _note(self, record: PatchRecord) -> Callable[[dict[str, Any], str], None]:
        def note(application: dict[str, Any], message: str) -> None:
            if application not in record.applications:
                record.applications.append(application)
                self._events.emit("patch_applied_to", id=record.id, message=message, **application)

        return note


def resolve(target: str) -> tuple[ModuleType, str, Any]:
    """The module, attribute name and value of ``module.attribute``; ``PatchTargetMissing`` when there is none."""
    module_name, _, attribute = target.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise PatchTargetMissing(target, f"cannot import {module_name}: {error}") from error
    if not hasattr(module, attribute):
        raise PatchTargetMissing(target, f"{module_name} has no {attribute}")
    return module, attribute, getattr(module, attribute)
