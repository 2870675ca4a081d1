"""Locks that end with their process, and staging directories that are swept afterwards and not before."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from aot.storage import locks

if TYPE_CHECKING:
    from pathlib import Path

_HOLD = """
import sys, time
from pathlib import Path
from aot.storage import locks
with locks.{what}(Path(sys.argv[1])) as held:
    print(held, flush=True)
    time.sleep(60)
"""


def _holder(what: str, path: Path) -> subprocess.Popen[str]:
    """A process that holds a lock or a staging directory and says so."""
    command = [sys.executable, "-c", _HOLD.format(what=what), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_lock_file_is_gone_afterwards(tmp_path: Path) -> None:
    with locks.exclusive(tmp_path / "l"):
        assert (tmp_path / "l").exists()
    assert list(tmp_path.iterdir()) == []


def test_lock_is_released_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="body"), locks.exclusive(tmp_path / "l"):
        raise ValueError("body")
    with locks.exclusive(tmp_path / "l"):
        pass


def test_an_os_error_of_the_body_stays_itself(tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefusedError), locks.exclusive(tmp_path / "l"):
        raise ConnectionRefusedError


def test_the_second_waits_and_is_told_the_pid(tmp_path: Path) -> None:
    first = _holder("exclusive", tmp_path / "l")
    told: list[int | None] = []

    def waiting(pid: int | None) -> None:
        told.append(pid)
        _kill(first)

    with locks.exclusive(tmp_path / "l", waiting):
        assert told == [first.pid]


def test_many_threads_one_at_a_time(tmp_path: Path) -> None:
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with locks.exclusive(tmp_path / "l"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0005)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_staging_is_removed(tmp_path: Path) -> None:
    with locks.staging(tmp_path) as directory:
        (directory / "deep").mkdir()
        (directory / "deep/file").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_staging_of_a_living_process_is_not_swept(tmp_path: Path) -> None:
    process = _holder("staging", tmp_path)
    try:
        assert locks.sweep(tmp_path) == []
        assert any(entry.is_dir() for entry in tmp_path.iterdir())
    finally:
        _kill(process)


def test_staging_of_a_killed_process_is_swept(tmp_path: Path) -> None:
    _kill(_holder("staging", tmp_path))
    assert len(locks.sweep(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == []


def test_own_staging_is_not_swept(tmp_path: Path) -> None:
    with locks.staging(tmp_path) as directory:
        assert locks.sweep(tmp_path) == []
        assert directory.is_dir()


def test_directory_without_a_lock_is_swept(tmp_path: Path) -> None:
    (tmp_path / "0123").mkdir()
    assert locks.sweep(tmp_path) == [tmp_path / "0123"]
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_sweep(tmp_path: Path) -> None:
    assert locks.sweep(tmp_path / "absent") == []


def test_a_lock_file_that_lost_its_name_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """We open the file, its holder removes it and ends, and only then we lock: others would not see that lock."""
    real = fcntl.flock

    def late(handle: int, operation: int) -> None:
        (tmp_path / "l").unlink()
        monkeypatch.setattr("aot.storage.locks.fcntl.flock", real)
        real(handle, operation)

    monkeypatch.setattr("aot.storage.locks.fcntl.flock", late)
    with locks.exclusive(tmp_path / "l"):
        assert fcntl.flock is real
        assert (tmp_path / "l").exists()


def test_the_file_goes_before_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other way round the next holder's file would be removed."""
    real, present = os.close, []

    def close(handle: int) -> None:
        present.append((tmp_path / "l").exists())
        real(handle)

    with locks.exclusive(tmp_path / "l"):
        monkeypatch.setattr("aot.storage.locks.os.close", close)
    monkeypatch.undo()
    assert present == [False]
