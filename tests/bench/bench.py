"""``make bench``: ratios measured side by side in one run, because machines differ and drift.

Every figure is the median of several runs of whole processes, taken in turn with its baseline.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = str(ROOT / "examples" / "models" / "Qwen" / "Qwen3-8B")
RUNS = 7
AOT = [sys.executable, "-m", "aot"]
BUILD = [*AOT, "build", EXAMPLE, "-tp", "2", "--max-model-len", "2048", "--max-num-seqs", "2", "--simulate"]


def seconds(command: list[str], environment: dict[str, str], stdin: Path | None = None) -> float:
    """Wall time of one process."""
    start = time.perf_counter()
    with (stdin or Path(os.devnull)).open("rb") as source:
        subprocess.run(
            command, env=environment, stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True
        )
    return time.perf_counter() - start


def compare(name: str, command: list[str], environment: dict[str, str], stdin: Path | None = None) -> None:
    """Print the median of ``command`` and of bare Python, run in turn."""
    bare, ours = [], []
    for _ in range(RUNS):
        bare.append(seconds([sys.executable, "-c", "pass"], environment))
        ours.append(seconds(command, environment, stdin))
    median, base = statistics.median(ours), statistics.median(bare)
    print(f"{name:34} {median * 1000:7.0f} ms   bare Python {base * 1000:4.0f} ms   + {(median - base) * 1000:6.0f} ms")


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
        compare("aot --help", [*AOT, "--help"], environment)
        compare("aot plan (directory)", [*AOT, "plan", EXAMPLE, "--simulate", "-tp", "2"], environment)
        subprocess.run([*BUILD, "--engine", "local"], env=environment, check=True, capture_output=True)
        compare("aot build, reused (directory)", [*BUILD, "--engine", "docker"], environment)
        compare("aot eos check", [*AOT, "eos", "check", EXAMPLE], environment)
        fingerprint = [*AOT, "fingerprint", "--requests", "-"]
        for count in (1, 1000, 10000):
            lines = requests(count, home / "requests.jsonl")
            compare(f"aot fingerprint, {count} requests", fingerprint, environment, lines)


if __name__ == "__main__":
    main()
