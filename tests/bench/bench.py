"""``make bench``: ratios measured side by side in one run, because machines differ and drift.

Every figure is the median of several runs of whole processes, taken in turn with bare Python.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = str(ROOT / "examples" / "models" / "Qwen" / "Qwen3-8B")
RUNS = 7
AOT = [sys.executable, "-m", "aot"]
BUILD = [*AOT, "build", EXAMPLE, "-tp", "2", "--max-model-len", "2048", "--max-num-seqs", "2", "--simulate"]
COUNTS = (1, 1000, 10000)


@dataclass(frozen=True)
class Run:
    """Wall time in seconds and peak memory in MiB of one process."""

    wall: float
    memory: float


def measure(command: list[str], environment: dict[str, str], stdin: Path | None = None) -> Run:
    """Run a command to its end; a failure ends the bench."""
    start = time.perf_counter()
    with (stdin or Path(os.devnull)).open("rb") as source, Path(os.devnull).open("wb") as sink:
        process = subprocess.Popen(command, env=environment, stdin=source, stdout=sink, stderr=sink)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} exited with {process.returncode}")
    return Run(time.perf_counter() - start, usage.ru_maxrss / 1024)


def compare(name: str, command: list[str], environment: dict[str, str], stdin: Path | None = None) -> float:
    """Print the medians of ``command`` and of bare Python, run in turn; returns what it took beyond bare Python."""
    bare, ours = [], []
    for _ in range(RUNS):
        bare.append(measure([sys.executable, "-c", "pass"], environment))
        ours.append(measure(command, environment, stdin))
    wall, base = (statistics.median(run.wall for run in runs) for runs in (ours, bare))
    memory = max(run.memory for run in ours)
    beyond = f"bare Python {base * 1000:3.0f} + {(wall - base) * 1000:6.0f} ms"
    print(f"{name:32} {wall * 1000:6.0f} ms = {beyond}, {memory:4.0f} MiB")
    return wall - base


def requests(count: int, target: Path) -> Path:
    """``count`` requests for the example, each with another length."""
    config = json.loads((Path(EXAMPLE) / "config.json").read_bytes())
    common = {"toolchain": "sdk2.28.0", "model_dir": "/models/Qwen/Qwen3-8B", "hf_config": config}
    with target.open("w") as file:
        for number in range(count):
            arguments = {
                "tensor_parallel_size": 2,
                "max_model_len": 128 + number,
                "max_num_seqs": 2,
                "enable_prefix_caching": False,
            }
            line = {"id": str(number), **common, "engine_args": arguments, "detected_platform": "inf2"}
            file.write(json.dumps(line) + "\n")
    return target


def main() -> None:
    """Run all of them."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        environment = {**os.environ, "AOT_STORE": str(home / "store"), "XDG_CACHE_HOME": str(home / "cache")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed aot has its byte code
        compare("aot --help", [*AOT, "--help"], environment)
        compare("aot plan (directory)", [*AOT, "plan", EXAMPLE, "--simulate", "-tp", "2"], environment)
        measure([*BUILD, "--engine", "local"], environment)
        compare("aot build, reused (directory)", BUILD, environment)
        compare("aot eos check", [*AOT, "eos", "check", EXAMPLE], environment)
        fingerprint = [*AOT, "fingerprint", "--requests", "-"]
        costs = []
        for count in COUNTS:
            extra = compare(f"aot fingerprint, {count} requests", fingerprint, environment, requests(count, home / "r"))
            costs.append(extra)
        each = [(more - costs[0]) / (count - 1) * 1e6 for count, more in zip(COUNTS[1:], costs[1:], strict=True)]
        print(f"each further request: {each[0]:.0f} us among 1000, {each[1]:.0f} us among 10000")


if __name__ == "__main__":
    main()
