from __future__ import annotations

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
