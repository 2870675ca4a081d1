"""Which directories become a store, and which are left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aot.errors import AotError, ErrorId
from aot.storage.local import LocalStore, default_path
from tests.support.artifacts import put_artifact


def _names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


def test_missing_directory_is_created(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "deep/store").open_or_create()
    assert _names(store.path) == {".aot", "blobs", "index.json", "oci-layout"}
    assert json.loads((store.path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}


@pytest.mark.parametrize("present", [[], ["lost+found"]])
def test_empty_directory_becomes_a_store(tmp_path: Path, present: list[str]) -> None:
    for name in present:
        (tmp_path / name).mkdir()
    LocalStore(tmp_path).open_or_create()
    assert (tmp_path / "oci-layout").is_file()


def test_other_content_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for call in (LocalStore(tmp_path).open, LocalStore(tmp_path).open_or_create):
        with pytest.raises(AotError, match=r"it holds thesis.tex and no oci-layout") as caught:
            call()
        assert caught.value.error_id is ErrorId.STORE_NOT_A_STORE
    assert _names(tmp_path) == {"thesis.tex"}


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AotError, match="not a directory"):
        LocalStore(tmp_path / "file").open_or_create()


@pytest.mark.parametrize("content", ["", "[]", '{"imageLayoutVersion": 1}'])
def test_unreadable_layout_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "oci-layout").write_text(content)
    with pytest.raises(AotError, match="cannot be read") as caught:
        LocalStore(tmp_path).open()
    assert caught.value.error_id is ErrorId.STORE_NOT_A_STORE


def test_another_layout_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(AotError, match=r"version is 2\.0\.0, this aot reads 1\.0\.0"):
        LocalStore(tmp_path).open_or_create()
    assert _names(tmp_path) == {"oci-layout"}


def test_half_made_store_is_completed(tmp_path: Path) -> None:
    (tmp_path / ".aot/locks").mkdir(parents=True)
    (tmp_path / "blobs").mkdir()
    assert LocalStore(tmp_path).open().list() == ()
    store = LocalStore(tmp_path / ".").open_or_create()
    assert _names(store.path) == {".aot", "blobs", "index.json", "oci-layout"}


def test_layout_of_another_tool_is_a_store(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (tmp_path / "index.json").write_text('{"schemaVersion":2,"manifests":[]}')
    (tmp_path / "blobs/sha256").mkdir(parents=True)
    store = LocalStore(tmp_path / "").open_or_create()
    put_artifact(store, tmp_path.parent / "scratch")
    assert len(store.list()) == 1


def test_opening_for_reading_writes_nothing(tmp_path: Path) -> None:
    assert LocalStore(tmp_path / "absent").open().list() == ()
    assert not (tmp_path / "absent").exists()


def test_a_broken_index_is_named(tmp_path: Path) -> None:
    store = LocalStore(tmp_path).open_or_create()
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(AotError, match=r"index.json cannot be read") as caught:
        store.list()
    assert caught.value.error_id is ErrorId.STORE_DAMAGED


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AotError):
        LocalStore(tmp_path / "file/store").open_or_create()
    with pytest.raises(AotError, match=r"Permission|Read-only|not permitted|No such file") as caught:
        LocalStore(Path("/proc/store")).open_or_create()
    assert caught.value.error_id is ErrorId.STORE_UNWRITABLE


def test_default_path() -> None:
    assert default_path({"AOT_STORE": "/s"}) == Path("/s")
    assert default_path({"XDG_DATA_HOME": "/d"}) == Path("/d/aot/store")
    assert default_path({"XDG_DATA_HOME": "relative"}) == Path("~/.local/share/aot/store").expanduser()
    assert default_path({}) == Path("~/.local/share/aot/store").expanduser()
