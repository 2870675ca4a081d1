"""Switches for tests: ``AOT_SIMULATOR_FAIL`` and ``AOT_SIMULATOR_PERTURB``."""

import errno
import json
import os
import signal
import time
from pathlib import Path

FAILURES = ("oom", "no-result", "hang", "disk-full", "refused", "flaky", "slow")


def failures() -> dict:
    """``AOT_SIMULATOR_FAIL=oom`` or ``slow=0.5`` or several separated by commas, as ``{name: value or None}``."""
    chosen = {}
    for item in filter(None, os.environ.get("AOT_SIMULATOR_FAIL", "").split(",")):
        name, _, value = item.partition("=")
        if name not in FAILURES:
            raise SystemExit(f"AOT_SIMULATOR_FAIL={name}: known are {', '.join(FAILURES)}")
        chosen[name] = value or None
    return chosen


def at_engine_start() -> None:
    if "refused" in failures():
        raise ValueError("SIMULATED refusal: the engine does not accept these arguments")


def at_compile_start() -> None:
    """The failures that end, or never end, the process that compiles."""
    chosen = failures()
    if "oom" in chosen:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory runs out
    if "no-result" in chosen:
        os._exit(3)
    if "hang" in chosen:
        while True:
            time.sleep(3600)
    if "disk-full" in chosen:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "SIMULATED graph.hlo")


def at_compiler_start(cache_dir: str) -> None:
    """``slow``: wait; ``flaky``: the first compile that ever uses this cache directory fails, for no lasting reason."""
    chosen = failures()
    if "slow" in chosen:
        time.sleep(float(chosen["slow"] or 1))
    marker = Path(cache_dir) / ".simulated-flaky"
    if "flaky" in chosen and not marker.exists():
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        raise ConnectionResetError(errno.ECONNRESET, "SIMULATED transient failure of the first compile")


def perturb(document: dict) -> dict:
    """``AOT_SIMULATOR_PERTURB=neuron_config.seq_len=4096`` changes that one field of the config."""
    setting = os.environ.get("AOT_SIMULATOR_PERTURB")
    if not setting:
        return document
    path, _, text = setting.partition("=")
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[name]
    place[last] = json.loads(text)
    return document
