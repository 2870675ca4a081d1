"""Kills, full disks and two at once: whatever happens, the store stays whole and the next command goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aot.artifact import layout
from aot.check.verify import verify_store
from aot.errors import AotError, ErrorId
from aot.storage.local import LocalStore
from tests.support.artifacts import key_for, make_packed, put_artifact
from tests.support.mounts import small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[3]

_EVERY_STEP = """
import shutil, sys
from pathlib import Path
from aot.check.verify import verify_store
from aot.storage.local import LocalStore
from tests.support.artifacts import key_for, put_artifact
from tests.support.kill_points import run_until

root, what = Path(sys.argv[1]), sys.argv[2]

def work():
    store = LocalStore(root / "store").open_or_create()
    if what == "report":
        store.attach_report(store.find(key_for("old")).digest, {"seconds": 1})
    elif what == "extract":
        store.extract(key_for("old"), root / "store-out" / "out")
    else:
        put_artifact(store, root / "scratch", "new", b"new model")

step = 0
while True:
    step += 1
    shutil.rmtree(root / "store", ignore_errors=True)
    shutil.rmtree(root / "store-out", ignore_errors=True)
    if what != "create":
        put_artifact(LocalStore(root / "store").open_or_create(), root / "scratch", "old", b"old model")
    killed = run_until(step, str(root / "store"), work)
    # Reading works on what the kill left, before anything is repaired.
    left = LocalStore(root / "store").open()
    report = verify_store(left)
    assert report.ok, (step, report)
    if what != "create":
        assert left.find(key_for("old")) is not None, step
    new = left.find(key_for("new"))
    out = root / "store-out" / "out"
    assert not out.exists() or (out / ".aot-artifact.json").exists(), step
    # And the next command goes on.
    store = LocalStore(root / "store").open_or_create()
    assert list((root / "store/.aot/staging").iterdir()) == [], step
    again = put_artifact(store, root / "scratch", "new", b"new model")
    assert new is None or new.digest == again.digest, step
    assert verify_store(store).ok, step
    if not killed:
        break
print(step - 1)
"""


def _python(code: str, *arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is one: a kill, unlike a power cut, does not care about fsync."""
    if not os.access("/dev/shm", os.W_OK):  # noqa: S108
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as path:
        yield Path(path)


@pytest.mark.parametrize(("what", "least"), [("create", 30), ("put", 30), ("report", 15), ("extract", 10)])
def test_killed_before_every_step(memory_path: Path, what: str, least: int) -> None:
    done = _python(_EVERY_STEP, memory_path, what)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= least


_PUT_FOREVER = """
import sys
from pathlib import Path
from aot.storage.local import LocalStore
from tests.support.artifacts import put_artifact
store = LocalStore(Path(sys.argv[1])).open_or_create()
number = 0
while True:
    put_artifact(store, Path(sys.argv[2]), f"{sys.argv[3]}-{number % 3}", bytes(3_000_000) + str(number).encode())
    print(number, flush=True)
    number += 1
"""


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    """Also in the middle of a write; two writers, one of which goes on."""
    moments = random.Random(seed)  # noqa: S311
    arguments = [tmp_path / "store", tmp_path / f"scratch-{seed}"]
    for attempt in range(3):
        command = [sys.executable, "-c", _PUT_FOREVER, *map(str, arguments), str(attempt)]
        process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        store = LocalStore(tmp_path / "store").open_or_create()
        assert list((store.path / ".aot/staging").iterdir()) == []
        report = verify_store(store)
        assert report.ok, report
        assert store.find(key_for(f"{attempt}-0")) is not None


_BUILD = """
import sys, time
from pathlib import Path
from aot.storage.local import LocalStore
from tests.support.artifacts import key_for, put_artifact
store = LocalStore(Path(sys.argv[1])).open_or_create()
with store.lock(key_for("a"), lambda text: print(text, file=sys.stderr)):
    if store.find(key_for("a")):
        print("reused")
    else:
        time.sleep(0.5)
        put_artifact(store, Path(sys.argv[2]), "a")
        print("built")
"""


def test_two_builds_of_one_key_compile_once(tmp_path: Path) -> None:
    builds = [
        subprocess.Popen(
            [sys.executable, "-c", _BUILD, tmp_path / "store", tmp_path / f"scratch-{number}"],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    ended = [build.communicate() for build in builds]
    assert sorted(out.strip() for out, _ in ended) == ["built", "reused", "reused"], ended
    assert any("another build of this key is running (pid " in err for _, err in ended)


def test_many_writers_lose_no_entry(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom aot.storage.local import LocalStore\n"
        "from tests.support.artifacts import put_artifact\n"
        "store = LocalStore(Path(sys.argv[1])).open_or_create()\n"
        "for n in range(5): put_artifact(store, Path(sys.argv[2]), f'{sys.argv[3]}-{n}')\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / "store", tmp_path / str(n), str(n)], cwd=_ROOT)
        for n in range(4)
    ]
    assert [writer.wait() for writer in writers] == [0] * 4
    store = LocalStore(tmp_path / "store").open()
    assert len(store.list()) == 20
    assert verify_store(store).ok


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "small") as path:
        yield path


class TestFullDisk:
    """``DISK_FULL`` says how much was needed; nothing half-written stays."""

    def test_known_beforehand(self, small_disk: Path, tmp_path: Path) -> None:
        store = LocalStore(small_disk / "store").open_or_create()
        with pytest.raises(AotError, match=r"no room to write .*3\.9 MiB are needed") as caught:
            put_artifact(store, tmp_path, content=bytes(3_000_000))
        assert caught.value.error_id is ErrorId.DISK_FULL
        assert store.list() == ()
        assert list((store.path / ".aot/staging").iterdir()) == []

    def test_while_writing(self, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The estimate was right and somebody else was faster."""
        monkeypatch.setattr("aot.artifact.disk.free_bytes", lambda _: 1 << 40)
        store = LocalStore(small_disk / "store").open_or_create()
        with pytest.raises(AotError, match="No space left on device") as caught:
            put_artifact(store, tmp_path, content=bytes(3_000_000))
        assert caught.value.error_id is ErrorId.DISK_FULL
        monkeypatch.undo()
        assert list((store.path / ".aot/staging").iterdir()) == []
        assert verify_store(store).ok
        monkeypatch.setattr("aot.artifact.image._OVERHEAD", 0)
        assert put_artifact(store, tmp_path, "small").digest

    def test_while_extracting(self, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = LocalStore(tmp_path / "store").open_or_create()
        put_artifact(store, tmp_path, content=bytes(3_000_000))
        for free in (None, 1 << 40):
            if free is not None:
                monkeypatch.setattr("aot.artifact.disk.free_bytes", lambda _: 1 << 40)
            with pytest.raises(AotError, match=r"2\.9 MiB are needed") as caught:
                store.extract(None, small_disk / "out")
            assert caught.value.error_id is ErrorId.DISK_FULL
            assert list(small_disk.iterdir()) == []

    def test_while_a_report_is_attached(
        self, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aot.artifact.image._OVERHEAD", 0)
        store = LocalStore(small_disk / "store").open_or_create()
        put = put_artifact(store, tmp_path)
        with pytest.raises(AotError) as caught:
            store.attach_report(put.digest, {"log": "x" * 2_000_000})
        assert caught.value.error_id is ErrorId.DISK_FULL
        assert store.reports(put.digest) == ()
        assert verify_store(store).ok

    def test_limit_on_file_size(self, tmp_path: Path) -> None:
        code = (
            "import resource, sys\nfrom pathlib import Path\nfrom aot.errors import AotError\n"
            "from aot.storage.local import LocalStore\nfrom tests.support.artifacts import make_output, make_record\n"
            "from aot.artifact.image import pack\n"
            "output = make_output(Path(sys.argv[2]), bytes(3_000_000))\n"
            "store = LocalStore(Path(sys.argv[1])).open_or_create()\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
            "try:\n"
            "    with store.staging() as staging: pack(make_record(), output, staging)\n"
            "except AotError as problem: print(problem.error_id.string_id, problem.reason)\n"
        )
        done = _python(code, tmp_path / "store", tmp_path)
        assert done.stdout.startswith("disk-full"), done.stderr
        assert "File too large" in done.stdout


class TestReadOnly:
    """A store on a read-only mount can be read, and writing to it says why not."""

    @pytest.fixture
    def store(self, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
        monkeypatch.setattr("aot.artifact.image._OVERHEAD", 0)
        store = LocalStore(small_disk / "store").open_or_create()
        put_artifact(store, tmp_path)
        self.packed = make_packed(small_disk / "x", "b")
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        return store

    def test_reading(self, store: LocalStore, tmp_path: Path) -> None:
        assert store.open().find(key_for("a")) is not None
        assert len(store.list()) == 1
        assert verify_store(store).ok
        store.extract(None, tmp_path / "out")

    def test_writing(self, store: LocalStore) -> None:
        for write in (lambda: store.put(self.packed), lambda: store.attach_report(key_for("a"), {})):
            with pytest.raises(AotError, match="Read-only file system") as caught:
                write()
            assert caught.value.error_id is ErrorId.STORE_UNWRITABLE
        with pytest.raises(AotError, match="Read-only"), store.lock(key_for("a")):
            pass
        with pytest.raises(AotError, match="Read-only"), store.staging():
            pass

    def test_opening(self, store: LocalStore) -> None:
        with pytest.raises(AotError, match="Read-only") as caught:
            LocalStore(store.path.parent / "another").open_or_create()
        assert caught.value.error_id is ErrorId.STORE_UNWRITABLE


def test_put_onto_another_file_system_is_said(tmp_path: Path, small_disk: Path) -> None:
    """Blobs are renamed, never copied: a staging directory elsewhere is a mistake of ours, not silently slow."""
    packed = make_packed(tmp_path)
    store = LocalStore(small_disk / "store").open_or_create()
    with pytest.raises(AotError, match="cross-device"):
        store.put(packed)
    assert layout.blobs_directory(store.path).is_dir()
    assert store.list() == ()
