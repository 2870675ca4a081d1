"""``result.json``: filled in while the job runs, written whole or not at all."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import SCHEMA_VERSION


@dataclass
class Result:
    """Everything the host is told; what never became known stays null."""

    outcome: str = "failed"
    error: dict[str, str] | None = None
    fingerprint: dict[str, str] | None = None
    architecture: str | None = None
    model_class: str | None = None
    neuron_config_class: str | None = None
    config_class: str | None = None
    resolved: dict[str, Any] | None = None
    platform: dict[str, Any] | None = None
    patches: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str | None] = field(default_factory=dict)
    simulated: bool = False

    def fail(self, kind: str, error: BaseException, message: str | None = None) -> None:
        """Record why the job failed; later failures do not replace the first."""
        self.outcome = "failed"
        if self.error is None:
            text = message if message is not None else str(error)
            self.error = {"kind": kind, "type": type(error).__name__, "message": text}

    def write(self, directory: str) -> None:
        """Write ``result.json`` atomically into ``directory``."""
        document = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        write_atomically(Path(directory) / "result.json", json.dumps(document, indent=2, sort_keys=True) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """UTF-8, no newline translation, visible under its name only when complete."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
