from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aot import lock
from aot.errors import AotError, ErrorId
from aot.lock import Pin

DIGEST = "sha256:" + "a" * 64


def test_a_missing_lock_is_empty(tmp_path: Path) -> None:
    assert lock.read(tmp_path / "aot.lock").toolchains == {}


def test_what_is_added_is_read_back_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "new" / "aot.lock"
    lock.add(path, "sdk2.29.0", Pin("r/b:1", DIGEST))
    lock.add(path, "sdk2.28.0", Pin("r/a:1", DIGEST))
    assert lock.read(path).toolchains == {"sdk2.28.0": Pin("r/a:1", DIGEST), "sdk2.29.0": Pin("r/b:1", DIGEST)}
    assert [entry.name for entry in path.parent.iterdir()] == ["aot.lock"]


def test_the_order_of_adding_does_not_show(tmp_path: Path) -> None:
    for name, order in (("a", ["x", "y"]), ("b", ["y", "x"])):
        for each in order:
            lock.add(tmp_path / name, each, Pin("r/a:1", DIGEST))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"schema_version = 2",
        b"not toml",
        b"\xff\xfe",
        b'schema_version = 1\n[toolchains.a]\nimage = "x:1"\ndigest = "sha256:123"',
        b'schema_version = 1\n[toolchains.a]\nimage = "x:1"',
        b"schema_version = 1\nunknown = 1",
        f'schema_version = 1\n[toolchains.a]\nimage = ""\ndigest = "{DIGEST}"'.encode(),
        f'schema_version = 1\n[toolchains.a]\nimage = "example.com:5000/vllm"\ndigest = "{DIGEST}"'.encode(),
        f'schema_version = 1\n[toolchains.a]\nimage = ":tag"\ndigest = "{DIGEST}"'.encode(),
    ],
)
def test_a_malformed_lock_is_an_error_and_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "aot.lock"
    path.write_bytes(content)
    with pytest.raises(AotError) as caught:
        lock.add(path, "sdk2.28.0", Pin("r/a:1", DIGEST))
    assert caught.value.error_id is ErrorId.LOCK_MALFORMED
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("host/repo:tag", "host/repo@" + DIGEST),
        ("host:5000/repo:tag", "host:5000/repo@" + DIGEST),
        ("host:5000/repo", "host:5000/repo@" + DIGEST),
    ],
)
def test_a_pin_names_the_image_by_digest(image: str, expected: str) -> None:
    assert Pin(image, DIGEST).reference == expected


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (Path("/proc/x.lock"), tmp_path / "file" / "aot.lock"):
        with pytest.raises(AotError) as caught:
            lock.add(path, "sdk2.28.0", Pin("r/a:1", DIGEST))
        assert caught.value.error_id is ErrorId.LOCK_UNWRITABLE


def test_a_disk_that_fails_while_writing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lock, "write_atomic", full)
    with pytest.raises(AotError, match="No space left") as caught:
        lock.add(tmp_path / "aot.lock", "sdk2.28.0", Pin("r/a:1", DIGEST))
    assert caught.value.error_id is ErrorId.LOCK_UNWRITABLE
    assert "--lock" in caught.value.remedy


def test_of_many_that_add_at_once_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "aot.lock"
    names = [f"sdk2.{number}.0" for number in range(8)]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: lock.add(path, name, Pin("r/a:1", DIGEST)), names))
    assert sorted(lock.read(path).toolchains) == names
