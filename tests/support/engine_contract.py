"""What every engine must do, written once: subclass ``EngineContract`` and give it an ``engine`` fixture."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aot.compile.engine import Engine, Exit, Job
from aot.errors import AotError, ErrorId

FAKE_RUNNER = Path(__file__).parent / "fake_runner"
MODEL_PATH = "/models/Qwen/Qwen3-8B"
FLOOD = 5_000_000


class Recorder:
    """A sink that remembers; ``on_line`` may raise, as a signal handler would."""

    def __init__(self, on_line: Any = None) -> None:
        self.out: list[bytes] = []
        self.err: list[bytes] = []
        self.ticks: list[float] = []
        self._on_line = on_line

    def stdout(self, line: bytes) -> None:
        self.out.append(line)
        if self._on_line:
            self._on_line(line)

    def stderr(self, line: bytes) -> None:
        self.err.append(line)

    def tick(self, elapsed_seconds: float) -> None:
        self.ticks.append(elapsed_seconds)


def make_job(root: Path, steps: Sequence[Any], **changes: Any) -> Job:
    """A job of the fake runner with its directories below ``root``."""
    for name in ("output", "cache", "scratch", "model"):
        (root / name).mkdir(exist_ok=True, parents=True)
    (root / "model" / "config.json").write_text('{"vocab_size": 151936}')
    values = {
        "image": None,
        "python": "python3",
        "environment": {"NEURON_PLATFORM_TARGET_OVERRIDE": "inf2"},
        "document": {"schema_version": 1, "model_path": MODEL_PATH, "steps": steps},
        "model_dir": root / "model",
        "model_path": MODEL_PATH,
        "output_dir": root / "output",
        "cache_dir": root / "cache",
        "scratch_dir": root / "scratch",
        "timeout_seconds": 60.0,
    }
    return Job(**{**values, **changes})


def interrupt(_line: bytes) -> None:
    """What the command line's signal handler does, at the first line of output."""
    raise KeyboardInterrupt


def eventually(condition: Any, seconds: float = 10.0) -> bool:
    """Whether ``condition()`` becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


class EngineContract:
    """Shared tests. ``image`` is what goes into Job.image."""

    image: str | None = None

    def go(self, engine: Engine, root: Path, steps: Sequence[Any], **changes: Any) -> tuple[Exit, Recorder]:
        """Run the steps."""
        recorder = Recorder()
        ended = engine.run(make_job(root, steps, image=self.image, **changes), recorder)
        return ended, recorder

    def test_both_streams_flooded(self, engine: Engine, tmp_path: Path) -> None:
        ended, seen = self.go(engine, tmp_path, [["flood", FLOOD]])
        assert ended.status == 0
        assert seen.out == [b"1" * 99] * (FLOOD // 100)
        assert seen.err == [b"2" * 99] * (FLOOD // 100)

    def test_unfinished_line_and_foreign_bytes(self, engine: Engine, tmp_path: Path) -> None:
        ended, seen = self.go(engine, tmp_path, [["say", 1, "a\n\xff\xfe\r\n\nb"], ["say", 2, "end\xc3"]])
        assert ended.status == 0
        assert seen.out == [b"a", b"\xff\xfe", b"", b"b"]
        assert seen.err == [b"end\xc3"]

    def test_a_line_arrives_when_it_is_printed(self, engine: Engine, tmp_path: Path) -> None:
        arrived: list[float] = []
        started = time.monotonic()
        job = make_job(tmp_path, [["say", 1, "now\n"], ["sleep", 3]], image=self.image)
        engine.run(job, Recorder(lambda _line: arrived.append(time.monotonic())))
        assert time.monotonic() - arrived[0] > 2.5, "held back until the end"
        assert arrived[0] - started < 3

    def test_ticks_while_silent(self, engine: Engine, tmp_path: Path) -> None:
        _, seen = self.go(engine, tmp_path, [["sleep", 3.4]])
        assert len(seen.ticks) in (2, 3)
        assert seen.ticks == sorted(seen.ticks)

    @pytest.mark.parametrize("status", [0, 1, 70])
    def test_status(self, engine: Engine, tmp_path: Path, status: int) -> None:
        ended, _ = self.go(engine, tmp_path, [["exit", status]])
        assert (ended.status, ended.signal, ended.out_of_memory, ended.timed_out) == (status, None, False, False)

    def test_death_by_signal(self, engine: Engine, tmp_path: Path) -> None:
        ended, _ = self.go(engine, tmp_path, [["kill", 11]])
        assert (ended.status, ended.signal) == (139, "SIGSEGV")

    def test_timeout(self, engine: Engine, tmp_path: Path) -> None:
        started = time.monotonic()
        steps = [["deaf"], ["say", 1, "before\nunfinished"], ["sleep", 60]]
        ended, seen = self.go(engine, tmp_path, steps, timeout_seconds=2.0)
        assert ended.timed_out
        assert not ended.out_of_memory
        assert 2 <= time.monotonic() - started < 20
        assert seen.out == [b"before", b"unfinished"]

    def test_what_the_runner_sees(self, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "EDITOR"):
            monkeypatch.setenv(name, "not for the runner")
        ended, seen = self.go(engine, tmp_path, [["facts"]])
        assert ended.status == 0, seen.err
        facts = json.loads(seen.out[0])
        assert facts["environment"]["NEURON_PLATFORM_TARGET_OVERRIDE"] == "inf2"
        assert facts["environment"]["HOME"] == facts["cwd"] == facts["document"]["work_dir"]
        assert "not for the runner" not in facts["environment"].values()
        assert facts["model"] == {"config.json": '{"vocab_size": 151936}'}
        assert facts["modules"] == [], "aot's own dependencies are visible"

    def test_directories_are_writable_where_they_should_be(self, engine: Engine, tmp_path: Path) -> None:
        names = ["output_dir", "cache_dir", "work_dir", ".", "/tmp"]  # noqa: S108
        _, seen = self.go(engine, tmp_path, [["touch", name] for name in names])
        assert seen.out == [b"0"] * len(names)

    def test_output_comes_back_and_is_ours(self, engine: Engine, tmp_path: Path) -> None:
        steps = [["output", "result.json", "{}"], ["output", "compiled/deep/model.pt", "x" * 3_000_000]]
        self.go(engine, tmp_path, steps)
        files = sorted(path for path in (tmp_path / "output").rglob("*") if path.is_file())
        assert [str(path.relative_to(tmp_path)) for path in files] == [
            "output/compiled/deep/model.pt",
            "output/result.json",
        ]
        assert files[0].read_text() == "x" * 3_000_000
        assert {path.stat().st_uid for path in (tmp_path / "output").rglob("*")} == {os.getuid()}
        assert all(os.access(path, os.W_OK) for path in files)

    def test_output_of_a_failed_run_comes_back(self, engine: Engine, tmp_path: Path) -> None:
        ended, _ = self.go(engine, tmp_path, [["output", "result.json", "why"], ["exit", 1]])
        assert ended.status == 1
        assert (tmp_path / "output" / "result.json").read_text() == "why"

    def test_cache_survives_attempts(self, engine: Engine, tmp_path: Path) -> None:
        self.go(engine, tmp_path, [["append", "neff", "first "]])
        _, seen = self.go(engine, tmp_path, [["append", "neff", "second"]])
        assert seen.out == [b"first second"]

    def test_what_is_purged_from_the_cache_is_gone(self, engine: Engine, tmp_path: Path) -> None:
        """Failed entries are removed here, on the host, before a retry; the retry must not see them."""
        self.go(engine, tmp_path, [["append", "failed", "x"], ["append", "compiled", "x"]])
        (tmp_path / "cache" / "failed").unlink()
        _, seen = self.go(engine, tmp_path, [["append", "failed", "y"], ["append", "compiled", "y"]])
        assert seen.out == [b"y", b"xy"]

    def test_model_of_links(self, engine: Engine, tmp_path: Path) -> None:
        """The Hub cache's layout: snapshot files are relative links into a directory that is not mounted."""
        blobs, snapshot = tmp_path / "hub" / "blobs", tmp_path / "hub" / "snapshots" / "abc"
        blobs.mkdir(parents=True)
        snapshot.mkdir(parents=True)
        (blobs / "1").write_text("{}")
        (snapshot / "config.json").symlink_to("../../blobs/1")
        ended, seen = self.go(engine, tmp_path, [["facts"]], model_dir=snapshot)
        assert ended.status == 0, seen.err
        assert json.loads(seen.out[0])["model"] == {"config.json": "{}"}

    @pytest.mark.parametrize("name", ["HF_TOKEN", "AWS_SESSION_TOKEN", "AWS_REGION", "GITHUB_TOKEN", "MY_SECRET_X"])
    def test_credentials_are_refused(self, engine: Engine, tmp_path: Path, name: str) -> None:
        with pytest.raises(AotError) as error:
            self.go(engine, tmp_path, [["facts"]], environment={name: "abc"})
        assert error.value.error_id is ErrorId.SECRET_IN_ENVIRONMENT
        assert name in error.value.reason
        assert "abc" not in error.value.reason + error.value.remedy

    def test_interrupt_reaches_the_caller(self, engine: Engine, tmp_path: Path) -> None:
        started = time.monotonic()
        job = make_job(tmp_path, [["deaf"], ["say", 1, "line\n"], ["sleep", 60]], image=self.image)
        with pytest.raises(KeyboardInterrupt):
            engine.run(job, Recorder(interrupt))
        assert time.monotonic() - started < 20

    def test_stop_without_a_job(self, engine: Engine) -> None:
        engine.stop()
        engine.stop()

    def test_stop_from_another_thread(self, engine: Engine, tmp_path: Path) -> None:
        timer = threading.Timer(1.5, engine.stop)
        timer.start()
        ended, _ = self.go(engine, tmp_path, [["sleep", 60]])
        timer.join()
        assert ended.status != 0
        assert not ended.out_of_memory
        assert ended.seconds < 20
