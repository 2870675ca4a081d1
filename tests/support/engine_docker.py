"""What the tests of engine ``docker`` share: a real engine, an image with python3 in it, and a look at what is left."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.require import require

REPOSITORY = Path(__file__).parents[2]
IMAGE = os.environ.get("AOT_TEST_IMAGE", "aot-simulator-base:local")
"""Any image with python3 and sh; tests/support/base_image.sh makes this one."""


def need_docker() -> None:
    """Skip (or fail, see require.py) without an engine and the image."""
    answer = docker("version", check=False)
    require("docker", answer.returncode == 0, f"no Docker engine answers: {answer.stderr.strip()}")
    require("docker", docker("image", "inspect", IMAGE, check=False).returncode == 0, f"there is no image {IMAGE}")


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """The docker command line: a second opinion on what the SDK did."""
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=check)
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(["docker"], 127, "", str(error))


def containers(owner_pid: int) -> list[str]:
    """Names of all containers that a process owns, in whatever state."""
    answer = docker("ps", "-a", "--filter", f"label=aot.owner.pid={owner_pid}", "--format", "{{.Names}}")
    return answer.stdout.split()


def volumes(owner_pid: int) -> list[str]:
    """Names of all volumes that a process owns."""
    answer = docker("volume", "ls", "--filter", f"label=aot.owner.pid={owner_pid}", "--format", "{{.Name}}")
    return answer.stdout.split()


def inspect(name: str) -> dict[str, Any]:
    """``docker inspect`` of one container."""
    found: dict[str, Any] = json.loads(docker("inspect", name).stdout)[0]
    return found


OWNER = """
import sys
from pathlib import Path
from aot.compile.container import ContainerEngine
from aot.progress import Silent
from tests.support.engine_contract import FAKE_RUNNER, make_job

class Sink:
    def stdout(self, line): print(line.decode(), flush=True)
    def stderr(self, line): print(line.decode(), file=sys.stderr, flush=True)
    def tick(self, elapsed): pass

root, image, transfer, steps = Path(sys.argv[1]), sys.argv[2], sys.argv[3], eval(sys.argv[4])
engine = ContainerEngine(Silent(), transfer=transfer, runner=FAKE_RUNNER)
ended = engine.run(make_job(root, steps, image=image), Sink())
print(ended)
"""
"""A process that runs one job, for tests that kill it, or run it as somebody else or elsewhere."""


def owner_command(python: str, root: Path, steps: Sequence[Any], transfer: str = "auto") -> list[str]:
    """Command line of an OWNER."""
    return [python, "-c", OWNER, str(root), IMAGE, transfer, repr(steps)]


def as_nobody(*, group: int) -> list[str]:
    """Prefix that runs a command as an ordinary user who may do what ``group`` may.

    It may also read everything, since the interpreter may lie in root's home; it may write nothing but its own.
    """
    caps = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return ["setpriv", "--reuid=65534", "--regid=65534", f"--groups={group}", *caps, "env", "HOME=/nonexistent"]
