"""Engine ``local``: real child processes throughout."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aot import host
from aot.compile.engine import Exit, Needs
from aot.compile.local import LocalEngine, with_oom
from aot.errors import AotError, ErrorId
from tests.support.engine_contract import FAKE_RUNNER, EngineContract, Recorder, eventually, interrupt, make_job
from tests.support.require import require_root

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="engine local needs Linux")


@pytest.fixture
def simulator(tmp_path: Path) -> Path:
    (tmp_path / "simulator" / "bin").mkdir(parents=True)
    (tmp_path / "simulator" / "packages").mkdir()
    return tmp_path / "simulator"


@pytest.fixture
def engine(simulator: Path) -> LocalEngine:
    return LocalEngine(simulator, "sdk2.28.0", runner=FAKE_RUNNER)


def alive(pid: int) -> bool:
    return host.identity(pid) is not None


class TestContract(EngineContract):
    pass


def test_the_simulator_is_on_both_paths(engine: LocalEngine, simulator: Path, tmp_path: Path) -> None:
    (simulator / "bin" / "neuronx-cc").write_text("#!/bin/sh\necho compiled\n")
    (simulator / "bin" / "neuronx-cc").chmod(0o755)
    (simulator / "packages" / "sitecustomize.py").write_text(
        "import os, subprocess, sys\n"
        "subprocess.run(['neuronx-cc'], check=True)\n"
        "print(os.environ['AOT_SIMULATOR_TOOLCHAIN'], flush=True)\n"
    )
    seen = Recorder()
    ended = engine.run(make_job(tmp_path, []), seen)
    assert ended.status == 0, seen.err
    assert seen.out == [b"compiled", b"sdk2.28.0"]


def test_switches_of_the_simulator_are_passed_on(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOT_SIMULATOR_PERTURB", "1")
    seen = Recorder()
    engine.run(make_job(tmp_path, [["facts"]]), seen)
    assert b'"AOT_SIMULATOR_PERTURB": "1"' in seen.out[0]


@pytest.mark.parametrize("how", ["interrupt", "timeout", "end"])
def test_the_whole_tree_ends(engine: LocalEngine, tmp_path: Path, how: str) -> None:
    """The grandchild has a session of its own: killing a process group would miss it."""
    seen = Recorder(interrupt if how == "interrupt" else None)
    steps = [["tree"], ["sleep", 0 if how == "end" else 60]]
    try:
        engine.run(make_job(tmp_path, steps, timeout_seconds=2.0), seen)
    except KeyboardInterrupt:
        assert how == "interrupt"
    assert not alive(int(seen.out[0]))


OWNER = """
import sys
from pathlib import Path
from aot.compile.local import LocalEngine
from tests.support.engine_contract import FAKE_RUNNER, make_job

class Sink:
    def stdout(self, line): print(line.decode(), flush=True)
    def stderr(self, line): pass
    def tick(self, elapsed): pass

root = Path(sys.argv[1])
LocalEngine(root, "sdk2.28.0", runner=FAKE_RUNNER).run(make_job(root, [["deaf"], ["tree"], ["sleep", 60]]), Sink())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_whole_tree_ends_with_its_owner(tmp_path: Path, number: int) -> None:
    """kill -9 leaves no handler to run: the parent-death signal has to do it."""
    repository = Path(__file__).parents[3]
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], cwd=repository, stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with owner, owner.stdout:
        grandchild = int(owner.stdout.readline())
        assert alive(grandchild)
        owner.send_signal(number)
        owner.wait(20)
        assert eventually(lambda: not alive(grandchild))


def test_memory_ran_out() -> None:
    """Only the kernel's count tells; a SIGKILL from elsewhere, or a failure without one, is no such thing."""
    killed = Exit(status=137, signal="SIGKILL", seconds=1.0)
    assert with_oom(killed, 4, 5).out_of_memory
    assert "probably" in with_oom(killed, 4, 5).detail
    assert with_oom(killed, 4, 4) == killed
    assert with_oom(killed, None, None) == killed
    assert with_oom(Exit(status=0), 4, 5) == Exit(status=0)


def test_killed_by_hand_is_not_called_out_of_memory(engine: LocalEngine, tmp_path: Path) -> None:
    ended = engine.run(make_job(tmp_path, [["kill", 9]]), Recorder())
    assert (ended.status, ended.signal, ended.out_of_memory) == (137, "SIGKILL", False)


def test_preflight_gives_numbers(engine: LocalEngine, tmp_path: Path) -> None:
    engine.preflight(Needs(scratch_dir=tmp_path, scratch_bytes=1))
    with pytest.raises(AotError) as error:
        engine.preflight(Needs(scratch_dir=tmp_path, scratch_bytes=1 << 60))
    assert error.value.error_id is ErrorId.HOST_TOO_SMALL
    assert "1048576.0 TiB" in error.value.reason
    assert "--store" in error.value.remedy


FULL = """
import sys
from pathlib import Path
from aot.compile.local import LocalEngine
from aot.errors import AotError
from tests.support.engine_contract import FAKE_RUNNER, Recorder, make_job

root = Path(sys.argv[1])
job = make_job(root, [])
for number in range(1000):
    try:
        (root / f"fill{number}").write_bytes(bytes(4096))
    except OSError:
        break
try:
    LocalEngine(root, "sdk2.28.0", runner=FAKE_RUNNER).run(job, Recorder())
except AotError as error:
    print(error.error_id.string_id)
"""


def test_disk_full(tmp_path: Path) -> None:
    require_root("unshare", "make a small file system")
    script = f'mount -t tmpfs -o size=200k none {tmp_path} && "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", FULL, str(tmp_path)]
    answer = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert answer.stdout == "disk-full\n", answer.stderr


def test_scratch_that_is_not_ours(engine: LocalEngine, tmp_path: Path) -> None:
    job = make_job(tmp_path, [], scratch_dir=tmp_path / "missing")
    with pytest.raises(AotError) as error:
        engine.run(job, Recorder())
    assert error.value.error_id is ErrorId.ENGINE_FAILED


def test_nothing_to_reap_and_no_digest(engine: LocalEngine) -> None:
    assert engine.reap() == []
    assert engine.image_digest("any") is None
