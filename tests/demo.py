"""``make demo``: the main job, from a model id to Helm values, on a machine with nothing but Python.

A small local server plays the model hub and offers the example's real configuration files; the simulator plays AWS's
image. Everything else is what a user runs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEMO = ROOT / ".demo"
AOT = str(Path(sys.executable).with_name("aot"))
SERVE = ["--target", "inf2", "-tp", "2", "--max-model-len", "2048", "--max-num-seqs", "2"]


def main() -> None:
    """Build, show the result, print the values."""
    sys.path.insert(0, str(ROOT))
    from tests.support.hub import HubServer

    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    start = time.monotonic()
    with HubServer() as hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(DEMO / "hub"), "HF_HUB_OFFLINE": "0"}
        environment.pop("HF_TOKEN", None)
        build = ["build", "Qwen/Qwen3-8B", *SERVE, "--simulate", "--engine", "local", "--store", str(DEMO / "store")]
        result = json.loads(run([*build, "--json"], environment))
    say(f"artifact {result['artifact']['reference']}\n         {result['artifact']['digest']}")
    say(f"fingerprint predicted {result['fingerprint']['predicted']}, found {result['fingerprint']['found']}")
    say("both come from implementations of ours: in a real build the second one is computed by AWS's image")
    say("the Helm values, allowed because this is a demonstration of a SIMULATED artifact:\n")
    values = ["values", result["artifact"]["reference"], "--repository", "registry.example.com/models/qwen3-8b"]
    print(run([*values, "--allow-simulated"], environment))
    say(f"done in {time.monotonic() - start:.1f} s; look at it with: skopeo inspect {result['artifact']['reference']}")


def run(arguments: list[str], environment: dict[str, str]) -> str:
    """One command line, shown before it runs; its stderr goes straight to the terminal."""
    say("$ aot " + " ".join(arguments))
    done = subprocess.run([AOT, *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the demo failed: aot {arguments[0]} exited with {done.returncode}\n{done.stdout}")
    return done.stdout


def say(text: str) -> None:
    """Progress of the demo itself."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
