"""Telling the entries of the compile cache apart, and removing the failed ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from aot.compile.neuron_cache import entries, purge_failed
from aot.errors import AotError, ErrorId
from tests.support.ordinary_user import ordinary_user

VERSION = "neuronxcc-2.23.6484.0+3b612583"


def entry(cache: Path, module: str, **files: bytes) -> Path:
    directory = cache / VERSION / module
    directory.mkdir(parents=True)
    for name, content in {"hlo_module": b"hlo", **files}.items():
        (directory / f"model.{name}").write_bytes(content)
    return directory


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    entry(tmp_path, "MODULE_a+1", neff=b"neff", done=b"")
    entry(tmp_path, "MODULE_b+1", log=b"Failed compilation with ...")
    entry(tmp_path, "MODULE_c+1", log=b"", done=b"")
    entry(tmp_path, "MODULE_d+1", neff=b"", done=b"")
    entry(tmp_path, "MODULE_e+1")
    (tmp_path / "unrelated").mkdir()
    (tmp_path / "MODULE_file").write_text("no directory")
    return tmp_path


def test_states(cache: Path) -> None:
    assert {found.module: found.state for found in entries(cache)} == {
        "MODULE_a+1": "compiled",
        "MODULE_b+1": "failed",
        "MODULE_c+1": "failed",
        "MODULE_d+1": "failed",
        "MODULE_e+1": "unfinished",
    }


def test_only_failures_go(cache: Path) -> None:
    assert purge_failed(cache) == ["MODULE_b+1", "MODULE_c+1", "MODULE_d+1"]
    assert [found.module for found in entries(cache)] == ["MODULE_a+1", "MODULE_e+1"]
    assert purge_failed(cache) == []
    assert (cache / "unrelated").is_dir()


def test_no_cache_is_no_problem(tmp_path: Path) -> None:
    assert purge_failed(tmp_path / "never created") == []


def test_a_linked_module_is_left_alone(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    target = entry(elsewhere, "MODULE_z+1", log=b"x")
    (cache / VERSION / "MODULE_z+1").symlink_to(target)
    assert "MODULE_z+1" not in purge_failed(cache)
    assert target.is_dir()


def test_an_entry_that_cannot_be_removed_is_reported() -> None:
    with ordinary_user() as cache:
        entry(cache, "MODULE_a+1", log=b"x")
        (cache / VERSION).chmod(0o555)
        with pytest.raises(AotError) as problem:
            purge_failed(cache)
        (cache / VERSION).chmod(0o755)
    assert problem.value.error_id is ErrorId.STORE_UNWRITABLE
