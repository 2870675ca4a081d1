"""Engine ``local``: the runner as a child process on this machine. For the simulator only; needs Linux.

The real compiler needs the AWS image; the simulator is plain Python and runs wherever aot does.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aot import host, units
from aot.compile.engine import Exit, JobPaths, attempt_dir, exit_of, prepare, writing
from aot.compile.lines import LineSplitter
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from aot.compile.engine import Job, LineSink, Needs

INHERITED = ("PATH", "LANG", "TMPDIR")
SIMULATOR_PREFIX = "AOT_SIMULATOR_"
START = """
import importlib.util, runpy
if importlib.util.find_spec("sitecustomize"):
    import sitecustomize
runpy.run_module("aot_runner", run_name="__main__", alter_sys=True)
"""
"""``-m aot_runner`` with the one thing that -S leaves out and the simulator needs: its sitecustomize."""

SUPERVISOR = Path(__file__).resolve().with_name("supervise.py")
"""Run as a script, never imported."""

CHUNK = 1 << 16
STOP_SECONDS = 5.0
"""How long the supervisor may take to end the process tree before it is killed itself."""


class LocalEngine:
    """Runs the runner under aot's own interpreter, against the simulator's packages.

    ``simulator_dir`` holds ``packages/`` and ``bin/``; ``toolchain`` names the toolchain that the simulator plays.
    """

    name = "local"

    def __init__(self, simulator_dir: Path, toolchain: str, *, runner: Path | None = None) -> None:
        self._simulator = simulator_dir
        self._toolchain = toolchain
        self._runner = runner
        self._process: subprocess.Popen[bytes] | None = None

    def preflight(self, needs: Needs) -> None:
        """Check free disk; the simulator needs neither memory worth checking nor a given architecture."""
        if not sys.platform.startswith("linux"):
            raise AotError(
                ErrorId.ENGINE_UNAVAILABLE,
                reason=f"engine local needs Linux (this is {sys.platform})",
                remedy="use --engine docker",
            )
        free = host.disk_free(needs.scratch_dir)
        if free is not None and free < needs.scratch_bytes:
            raise AotError(
                ErrorId.HOST_TOO_SMALL,
                reason=f"{needs.scratch_dir} has {units.size(free)} free, "
                f"the job needs {units.size(needs.scratch_bytes)}",
                remedy=host.LARGER_DISK,
            )

    def run(self, job: Job, sink: LineSink) -> Exit:
        """Run to the end; an exception, an interrupt included, ends the process tree."""
        directory = attempt_dir(job)
        environment = self._prepare(job, directory)
        # -S: aot's own dependencies are not in the image and must not be visible here either.
        runner = [sys.executable, "-S", "-c", START, str(directory / "job" / "job.json")]
        shim = [sys.executable, "-I", "-S", str(SUPERVISOR), str(os.getpid())]
        oom_before = host.kernel_oom_kills()
        started = time.monotonic()
        self._process = subprocess.Popen(
            [*shim, *runner],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory / "work",
            env=environment,
            start_new_session=True,
        )
        try:
            timed_out = _pump(self._process, sink, started, job.timeout_seconds)
            if timed_out:
                self.stop()
            code = self._process.wait()
        finally:
            self.stop()
            _close(self._process)
        status = 128 - code if code < 0 else code
        ended = exit_of(status, time.monotonic() - started, timed_out=timed_out)
        return ended if timed_out else with_oom(ended, oom_before, host.kernel_oom_kills())

    def stop(self) -> None:
        """End the process tree: the supervisor first, which knows all of it, then its session."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # start_new_session made it the leader of its own group
            process.wait()

    def reap(self) -> list[str]:
        """Nothing to do: the supervisor ends the tree as soon as its aot is gone."""
        return []

    def image_digest(self, reference: str) -> str | None:
        """None: no image is involved."""
        return None

    def _prepare(self, job: Job, directory: Path) -> dict[str, str]:
        """Fill the attempt's directory; returns the environment of the runner."""
        job_dir, work, root = directory / "job", directory / "work", directory / "root"
        paths = JobPaths(str(job_dir), str(job.output_dir.resolve()), str(job.cache_dir.resolve()), str(work))
        prepare(job, job_dir, paths, runner=self._runner)
        model = root / job.model_path.lstrip("/")
        with writing(directory):
            model.parent.mkdir(parents=True)
            model.symlink_to(job.model_dir.resolve(), target_is_directory=True)
        inherited = {name: value for name, value in os.environ.items() if _is_inherited(name)}
        # The simulator's neuronx-cc is a python3 script and must find an interpreter even if the user's PATH has none.
        path = [str(self._simulator / "bin"), str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)]
        return {
            **inherited,
            **job.environment,
            "HOME": str(work),
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.pathsep.join([str(job_dir), str(self._simulator / "packages")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "AOT_SIMULATOR_ROOT": str(root),
            "AOT_SIMULATOR_TOOLCHAIN": self._toolchain,
        }


def _is_inherited(name: str) -> bool:
    return name in INHERITED or name.startswith(SIMULATOR_PREFIX)


def _pump(process: subprocess.Popen[bytes], sink: LineSink, started: float, timeout: float | None) -> bool:
    """Deliver both streams until both end; True when the time was up first.

    Both at once: a child that fills the pipe nobody reads would otherwise wait for us while we wait for it.
    """
    with selectors.DefaultSelector() as selector:
        splitters = {
            process.stdout: LineSplitter(sink.stdout),
            process.stderr: LineSplitter(sink.stderr),
        }
        for stream in splitters:
            selector.register(_fd(stream), selectors.EVENT_READ, splitters[stream])
        next_tick = 1.0
        while selector.get_map():
            for key, _ in selector.select(timeout=0.25):
                data = os.read(key.fd, CHUNK)
                if data:
                    key.data.feed(data)
                else:
                    key.data.close()
                    selector.unregister(key.fd)
            elapsed = time.monotonic() - started
            if elapsed >= next_tick:
                sink.tick(elapsed)
                next_tick = elapsed + 1.0
            if timeout is not None and elapsed >= timeout:
                for splitter in splitters.values():
                    splitter.close()
                return True
    return False


def _fd(stream: Any) -> int:
    return int(stream.fileno())


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def with_oom(ended: Exit, kills_before: int | None, kills_after: int | None) -> Exit:
    """The same Exit, marked when memory ran out.

    No limit is set for a child process, so only the kernel's own count tells; it covers the whole machine, hence
    "probably".
    """
    if ended.status == 0 or kills_before is None or kills_after is None or kills_after <= kills_before:
        return ended
    detail = "this machine ran out of memory meanwhile, and the kernel probably killed the compile for it"
    return Exit(ended.status, ended.signal, out_of_memory=True, seconds=ended.seconds, detail=detail)
