"""An engine whose attempts are scripted: it writes the files and prints the lines that the runner would."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aot.compile.engine import Exit, Job, LineSink, Needs
from aot.compile.remedies import Remedy

LOGS = Path(__file__).parents[2] / "data" / "logs"
IXCG856 = (LOGS / "ixcg856-qwen2.5-14b.log").read_bytes().splitlines()
COMPILE_ERROR = {"kind": "compile", "type": "CalledProcessError", "message": "returned non-zero exit status 70."}
CONTENT = b"content"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@dataclass
class Script:
    """What one attempt does. ``result`` None: leaves none; ``events`` go to stdout, ``log`` to stderr."""

    result: dict[str, Any] | bytes | None = None
    status: int = 1
    log: Sequence[bytes] = ()
    events: Sequence[dict[str, Any]] = ()
    files: Sequence[str] = ()
    signal: str | None = None
    out_of_memory: bool = False
    timed_out: bool = False
    meanwhile: Callable[[Job], None] | None = None


def compiled() -> Script:
    """An attempt that works."""
    result = {"schema_version": 1, "outcome": "compiled", "fingerprint": {"md5": MD5}, "simulated": True}
    return Script(result=result, status=0, files=("compiled/neuron_config.json", "compiled/model.pt", "canonical.json"))


def failed(log: Sequence[bytes] = (), error: dict[str, str] | None = None, **more: Any) -> Script:
    """An attempt that ends in a compile error (or another one) with this log."""
    return Script(result={"schema_version": 1, "outcome": "failed", "error": error or COMPILE_ERROR}, log=log, **more)


@dataclass
class ScriptedEngine:
    """Runs the scripts one after the other and remembers the jobs."""

    scripts: list[Script]
    jobs: list[Job] = field(default_factory=list)
    outputs_seen: list[list[str]] = field(default_factory=list)
    name: str = "scripted"

    def run(self, job: Job, sink: LineSink) -> Exit:
        script = self.scripts[len(self.jobs)]
        self.jobs.append(job)
        self.outputs_seen.append(sorted(path.name for path in job.output_dir.iterdir()))
        for event in script.events:
            sink.stdout(json.dumps({"time": 1.0, **event}).encode())
        sink.tick(1.0)
        for line in script.log:
            sink.stderr(line)
        for name in script.files:
            (job.output_dir / name).parent.mkdir(exist_ok=True)
            (job.output_dir / name).write_bytes(CONTENT)
        if script.meanwhile is not None:
            script.meanwhile(job)
        if script.result is not None:
            content = script.result if isinstance(script.result, bytes) else json.dumps(script.result).encode()
            (job.output_dir / "result.json").write_bytes(content)
        return Exit(script.status, script.signal, script.out_of_memory, script.timed_out, seconds=2.5)

    def preflight(self, needs: Needs) -> None:
        """Always ready."""

    def stop(self) -> None:
        """Nothing runs."""

    def reap(self) -> list[str]:
        return []

    def image_digest(self, reference: str) -> str | None:
        return None


class Recording:
    """Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.beats: list[str] = []
        self.lines: list[str] = []

    def group(self, title: str) -> AbstractContextManager[None]:
        self.said.append(title)
        return nullcontext()

    def info(self, text: str) -> None:
        self.said.append(text)

    warn = info

    def line(self, text: str) -> None:
        self.lines.append(text)

    def heartbeat(self, text: str) -> None:
        self.beats.append(text)

    @property
    def text(self) -> str:
        return "\n".join(self.said)


def job_maker(directory: Path) -> Callable[[Sequence[Remedy]], Job]:
    """Builds jobs as ``aot build`` does: the patches are those of the remedies in force."""
    for name in ("output", "cache", "scratch"):
        (directory / name).mkdir()

    def make(remedies: Sequence[Remedy]) -> Job:
        patches = [{"id": patch.id, "parameters": patch.parameters} for remedy in remedies for patch in remedy.patches]
        return Job(
            image=None,
            python="python3",
            environment={},
            document={"schema_version": 1, "action": "compile", "patches": patches},
            model_dir=directory,
            model_path="/models/org/name",
            output_dir=directory / "output",
            cache_dir=directory / "cache",
            scratch_dir=directory / "scratch",
        )

    return make
