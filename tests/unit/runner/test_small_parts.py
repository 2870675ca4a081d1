"""Events, results, calls by signature, kinds of failure, graphs, children."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
import time

import pytest

from aot.runner import children
from aot.runner.calling import call, has_field
from aot.runner.events import Events
from aot.runner.failures import Refused, RunnerError, Stopped
from aot.runner.graphs import GraphWatcher
from aot.runner.main import kind_of
from aot.runner.results import Result


@pytest.fixture
def events(tmp_path):
    with (tmp_path / "events").open("wb") as file:
        yield Events(file.fileno())


def written(tmp_path):
    return [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]


class TestEvents:
    def test_one_object_per_line_with_time(self, events, tmp_path):
        events.emit("hello", text="two\nlines", number=1)
        (event,) = written(tmp_path)
        assert event["event"] == "hello"
        assert event["text"] == "two\nlines"
        assert abs(event["time"] - time.time()) < 60

    def test_a_phase_ends_even_when_it_fails(self, events, tmp_path):
        with pytest.raises(KeyError), events.phase("config"):
            raise KeyError
        assert [(e["name"], e["status"]) for e in written(tmp_path)] == [("config", "start"), ("config", "end")]
        assert written(tmp_path)[1]["seconds"] >= 0

    def test_a_reader_that_went_away_does_not_end_the_job(self):
        reading, writing = os.pipe()
        os.close(reading)
        events = Events(writing)
        events.emit("one")
        events.emit("two")
        os.close(writing)


class TestResult:
    def test_written_whole_with_everything_null_that_never_became_known(self, tmp_path):
        result = Result()
        result.fail("compile", ValueError("first"))
        result.fail("internal", ValueError("second"))
        result.write(str(tmp_path))
        document = json.loads((tmp_path / "result.json").read_text())
        assert document["error"] == {"kind": "compile", "type": "ValueError", "message": "first"}
        assert document["schema_version"] == 1
        assert document["fingerprint"] is None
        assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


class TestCall:
    def test_only_what_the_function_names_is_passed(self):
        assert call(lambda a, c=3: (a, c), a=1, b=2) == (1, 3)
        assert call(lambda a, c=3: (a, c), a=1, c=2) == (1, 2)
        assert call(lambda *args, **kwargs: (args, kwargs), a=1) == ((), {})

    def test_a_parameter_we_do_not_know_is_named(self):
        def _validate(cache_config, planet_config):
            """A helper of some future release."""

        with pytest.raises(RunnerError, match=r"_validate of this image wants \['planet_config'\]") as caught:
            call(_validate, cache_config=1)
        assert caught.value.kind == "environment"

    def test_fields(self):
        @dataclasses.dataclass
        class Arguments:
            swap_space: float = 4
            derived: int = dataclasses.field(init=False, default=0)

        assert has_field(Arguments, "swap_space")
        assert not has_field(Arguments, "derived")
        assert not has_field(Arguments, "other")


def caused_by(cause):
    try:
        try:
            raise cause
        except OSError as error:
            raise RuntimeError("wrapped") from error
    except RuntimeError as wrapped:
        return wrapped


class TestKinds:
    @pytest.mark.parametrize(
        ("error", "phase", "kind"),
        [
            (Refused("no"), "config", "refused"),
            (RuntimeError("crash"), "compile", "compile"),
            (SystemExit(70), "compile", "compile"),
            (RuntimeError("crash"), "config", "internal"),
            (ImportError("gone"), "import", "environment"),
            (OSError(errno.ENOENT, "no config.json"), "config", "environment"),
            (OSError(errno.ENOSPC, "disk"), "compile", "environment"),
            (caused_by(OSError(errno.ENOSPC, "disk")), "compile", "environment"),
            (MemoryError(), "compile", "environment"),
            (KeyboardInterrupt(), "compile", "environment"),
            (Stopped("stopped"), "compile", "environment"),
            (SystemExit(0), "config", "internal"),
        ],
    )
    def test_kind(self, error, phase, kind):
        assert kind_of(error, phase) == kind

    def test_kinds_are_those_of_the_contract(self):
        with pytest.raises(ValueError, match="unknown failure kind"):
            RunnerError("bad-luck", "")


def graph(tmp_path, name, *files):
    directory = tmp_path / "nxd" / "token_generation_model" / name
    directory.mkdir(parents=True, exist_ok=True)
    for file in files:
        (directory / file).touch()


class TestGraphs:
    def test_start_and_end(self, events, tmp_path):
        with GraphWatcher(str(tmp_path / "nxd"), events):
            graph(tmp_path, "_tp0_bk0", "model.MODULE_a+b.hlo_module.pb")
            time.sleep(0.5)
            graph(tmp_path, "_tp0_bk0", "graph.neff")
            graph(tmp_path, "_tp0_bk1", "graph.neff")
        found = [(e["graph"], e["bucket"], e["status"]) for e in written(tmp_path)]
        assert found == [
            ("token_generation_model", "_tp0_bk0", "start"),
            ("token_generation_model", "_tp0_bk0", "end"),
            ("token_generation_model", "_tp0_bk1", "end"),
        ]
        assert 0.2 < written(tmp_path)[1]["seconds"] < 5
        assert "seconds" not in written(tmp_path)[2]

    def test_what_started_and_did_not_end_has_failed(self, events, tmp_path):
        def crash():
            with GraphWatcher(str(tmp_path / "nxd"), events):
                graph(tmp_path, "_tp0_bk0", "model.MODULE_a+b.hlo_module.pb")
                raise OSError("crash")

        with pytest.raises(OSError, match="crash"):
            crash()
        assert [e["status"] for e in written(tmp_path)] == ["start", "failed"]


def test_children_of_children_are_killed():
    code = (
        "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    assert children.descendants(os.getpid())[-2:] == [child.pid, grandchild]
    children.kill_all()
    assert child.wait(10) == -9
    child.stdout.close()
