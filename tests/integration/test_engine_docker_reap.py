"""What a killed aot leaves behind, and who may remove it. Real engine, real kill -9."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aot import host
from aot.compile import owner
from aot.compile.container import ContainerEngine
from aot.progress import Silent
from tests.support.engine_docker import (
    IMAGE,
    REPOSITORY,
    containers,
    docker,
    inspect,
    need_docker,
    owner_command,
    volumes,
)

pytestmark = pytest.mark.docker

STEPS = [["deaf"], ["say", 1, "up\n"], ["sleep", 120]]


@pytest.fixture(autouse=True)
def _docker() -> None:
    need_docker()


@contextmanager
def running_owner(root: Path, transfer: str = "mount") -> Iterator[subprocess.Popen[bytes]]:
    """A process whose container is up; killed at the end."""
    command = owner_command(sys.executable, root, STEPS, transfer)
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"up\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("transfer", ["mount", "archive"])
def test_kill_9_then_reap(tmp_path: Path, transfer: str) -> None:
    engine = ContainerEngine(Silent())
    with running_owner(tmp_path, transfer) as process:
        (name,) = containers(process.pid)
        engine.reap()
        assert containers(process.pid) == [name], "reaped the container of a living aot"
        process.kill()
        process.wait()
        engine.reap()
    assert containers(process.pid) == []
    assert volumes(process.pid) == []


@pytest.mark.parametrize("transfer", ["mount", "archive"])
def test_interrupt_from_the_terminal(tmp_path: Path, transfer: str) -> None:
    with running_owner(tmp_path, transfer) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
    assert containers(process.pid) == []
    assert volumes(process.pid) == []


@contextmanager
def labelled(changes: dict[str, str]) -> Iterator[str]:
    """A container that was never started, with this process's labels, changed."""
    labels = {**owner.labels(keep=False), **changes}
    arguments = [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
    name = docker("create", "--network", "none", *arguments, IMAGE, "true").stdout.strip()
    try:
        yield name
    finally:
        docker("rm", "-f", name, check=False)


@pytest.fixture
def private_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend to live in a PID namespace of our own, so that no other test's aot reaps what this one is looking at."""
    name, real = f"pid:[{uuid.uuid4().hex}]", host.identity

    def pretended(pid: int | None = None) -> host.ProcessIdentity | None:
        found = real(pid)
        return dataclasses.replace(found, namespace=name) if found else None

    monkeypatch.setattr(host, "identity", pretended)


def dead_pid() -> int:
    """A process number that was just in use and is not now."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


@pytest.mark.usefixtures("private_namespace")
@pytest.mark.parametrize(
    ("changes", "goes"),
    [
        ({}, False),
        ({owner.START: "1"}, True),  # our number, but it was another process then
        ({owner.OWNED: "dead"}, True),
        ({owner.OWNED: "dead", owner.KEEP: "true"}, False),
        ({owner.OWNED: "dead", owner.NAMESPACE: "pid:[1]"}, False),  # numbers of another container mean nothing here
        ({owner.OWNED: "dead", owner.BOOT: "another"}, False),  # another machine's, as far as we can know
    ],
)
def test_whose_container_goes(changes: dict[str, str], goes: bool) -> None:
    resolved = {key: str(dead_pid()) if value == "dead" else value for key, value in changes.items()}
    with labelled(resolved) as name:
        title = inspect(name)["Name"].lstrip("/")
        removed = ContainerEngine(Silent()).reap()
        assert (docker("inspect", name, check=False).returncode != 0) is goes
        assert removed == ([f"container {title} (created)"] if goes else [])


@pytest.mark.parametrize(
    ("changes", "age", "goes"),
    [
        ({owner.BOOT: "earlier"}, timedelta(hours=2), True),
        ({owner.BOOT: "earlier"}, timedelta(minutes=2), False),
        ({owner.BOOT: "earlier", owner.MACHINE: "another"}, timedelta(hours=2), False),
        ({owner.BOOT: "earlier", owner.KEEP: "true"}, timedelta(hours=2), False),
        ({}, timedelta(hours=2), False),
    ],
)
def test_after_a_reboot(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], age: timedelta, goes: bool) -> None:
    monkeypatch.setattr(host, "machine_id", lambda: "this-machine")
    now = datetime.now(UTC)
    assert owner.left_from_earlier_boot({**owner.labels(keep=False), **changes}, now - age, now) is goes


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("2026-11-21T23:44:43.329070696Z", datetime(2026, 11, 21, 23, 44, 43, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_times_of_the_engine(text: str, parsed: Any) -> None:
    assert owner.parse_time(text) == parsed


def test_two_reapers_at_once(tmp_path: Path) -> None:
    """Two commands start at the same moment: neither may fail because the other was faster."""
    script = "from aot.compile.container import ContainerEngine; from aot.progress import Silent\n"
    script += "print(len(ContainerEngine(Silent()).reap()))"
    with running_owner(tmp_path) as process:
        process.kill()
        process.wait()
        reapers = [
            subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE) for _ in range(3)
        ]
        for reaper in reapers:
            reaper.communicate(timeout=60)
    assert [reaper.returncode for reaper in reapers] == [0, 0, 0]
    assert containers(process.pid) == []


def test_own_labels_say_who() -> None:
    labels = owner.labels(keep=True)
    assert labels[owner.OWNED] == str(os.getpid())
    assert labels[owner.KEEP] == "true"
    assert owner.KEEP not in owner.labels(keep=False)
