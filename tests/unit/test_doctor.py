"""``aot doctor`` on engines that answer as they should, or do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from aot import doctor
from aot.compile.engine import Exit, Job, LineSink, Needs
from aot.errors import AotError, ErrorId
from tests.support.cli import Aot


class Engine:
    """An engine whose preflight ends as told; nothing is ever run on it."""

    name = "docker"

    def __init__(self, problem: AotError | None = None) -> None:
        self.problem = problem
        self.needs: Needs | None = None

    def preflight(self, needs: Needs) -> None:
        self.needs = needs
        if self.problem:
            raise self.problem

    def run(self, job: Job, sink: LineSink) -> Exit:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def reap(self) -> list[str]:
        raise NotImplementedError


ABSENT = AotError(ErrorId.ENGINE_UNAVAILABLE, reason="no engine", remedy="start it")


def statuses(engine: Engine, store: Path, lock: Path, *, simulate: bool = False) -> dict[str, str]:
    return {check.name: check.status for check in doctor.examine(engine, store, lock, simulate=simulate)}


def test_a_machine_that_is_ready(tmp_path: Path) -> None:
    engine = Engine()
    assert set(statuses(engine, tmp_path / "store", tmp_path / "aot.lock").values()) == {"ok"}
    assert engine.needs is not None
    assert engine.needs.image_bytes > 10 << 30
    assert engine.needs.memory_bytes > 0
    assert list(tmp_path.iterdir()) == [], "nothing is changed"


@pytest.mark.parametrize(("simulate", "status"), [(False, "error"), (True, "warning")])
def test_without_docker_only_simulating_works(tmp_path: Path, simulate: bool, status: str) -> None:
    found = statuses(Engine(ABSENT), tmp_path / "store", tmp_path / "aot.lock", simulate=simulate)
    assert found["docker engine"] == status


def test_a_store_and_a_lock_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    lock = tmp_path / "aot.lock"
    lock.write_text("nonsense")
    found = statuses(Engine(), tmp_path, lock)
    assert (found["store"], found["lock"]) == ("error", "error")


def test_the_exit_code_says_whether_a_build_would_start(tmp_path: Path) -> None:
    aot = Aot(tmp_path / "home", DOCKER_HOST="unix:///nonexistent.sock")
    done = aot("doctor", "--json")
    assert (done.status, done.document["error"]["id"]) == (13, "not-ready")
    assert [check["name"] for check in done.document["error"]["checks"] if check["status"] == "error"] == [
        "docker engine"
    ]
    assert aot("doctor", "--simulate", "--json").status == 0
