"""Running ``aot`` as a user does: a process of its own, with stores and caches in a temporary place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "models" / "Qwen" / "Qwen3-8B"
SERVE = ("--target", "inf2", "-tp", "2", "--max-model-len", "2048", "--max-num-seqs", "2")
SIMULATE = ("--simulate", "--engine", "local")


@dataclass(frozen=True)
class Done:
    """A finished call."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document


class Aot:
    """``aot`` with its store, cache and working directory below ``home``."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.store = home / "store"
        home.mkdir(exist_ok=True)
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("AOT_", "HF_", "GITHUB_"))
        }
        self.environment = {
            **inherited,
            "AOT_STORE": str(self.store),
            "XDG_CACHE_HOME": str(home / "cache"),
            "HF_HOME": str(home / "hub"),
            "HF_ENDPOINT": "http://127.0.0.1:9",
            **environment,
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a call and leave it running, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "aot", *arguments],
            env={**self.environment, **environment},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *arguments: str, **environment: str) -> Done:
        """Run a call to its end."""
        process = self.start(*arguments, **environment)
        stdout, stderr = process.communicate(timeout=120)
        return Done(process.returncode, stdout, stderr)

    def build(self, *arguments: str, model: str | Path = EXAMPLE, **environment: str) -> Done:
        """The demo's build, simulated, on the local engine, with ``--json``."""
        return self("build", str(model), *SERVE, *SIMULATE, "--json", *arguments, **environment)
