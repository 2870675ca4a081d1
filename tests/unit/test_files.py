from __future__ import annotations

import os
from pathlib import Path

import pytest

from aot import units
from aot.files import sha256_of_tree, write_atomic
from aot.model.hub_cache import HubCache, Listing
from aot.model.hub_settings import HubSettings

BIG = "1048576.0 TiB"


def test_a_tree_is_its_names_contents_and_executable_bits(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "tool"
    tool.write_text("a")
    seen = {sha256_of_tree(tmp_path)}
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").touch()
    assert sha256_of_tree(tmp_path) in seen
    tool.chmod(0o755)
    seen.add(sha256_of_tree(tmp_path))
    tool.write_text("b")
    seen.add(sha256_of_tree(tmp_path))
    tool.rename(tmp_path / "tool")
    seen.add(sha256_of_tree(tmp_path))
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1 << 20, "1.0 MiB"),
        (25232932864, "23.5 GiB"),
        (1 << 60, "1048576.0 TiB"),
    ],
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert units.size(count) == text


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        write_atomic(tmp_path / "file", b"content")
    HubCache(HubSettings(listing_dir=tmp_path), "org/name").remember(Listing("c" * 40, {}))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_remembered_listing_is_as_readable_as_any_file(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        cache = HubCache(HubSettings(listing_dir=tmp_path), "org/name")
        cache.remember(Listing("c" * 40, {}))
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.json")] == [0o644]
    assert cache.listing("c" * 40) == Listing("c" * 40, {})
