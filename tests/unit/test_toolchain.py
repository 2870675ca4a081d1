from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aot import resources, toolchain
from aot.errors import AotError, ErrorId
from aot.request import TARGETS


@pytest.mark.parametrize("name", toolchain.names())
def test_every_toolchain_loads_and_is_named_as_its_directory(name: str) -> None:
    chain = toolchain.load(name)
    assert chain.name == name
    assert f"sdk{chain.sdk}" == name
    assert chain.sdk in chain.image
    assert "@" not in chain.image
    assert set(chain.default_lnc) == set(TARGETS)
    assert set(chain.default_for) <= set(chain.targets)


def test_each_target_has_one_default() -> None:
    for target in TARGETS:
        assert [n for n in toolchain.names() if target in toolchain.load(n).default_for] == [
            toolchain.default_for(target).name
        ]
    assert toolchain.default_for("inf2").name == "sdk2.28.0"


def test_names_are_in_sdk_order() -> None:
    assert toolchain.names()[0] == "sdk2.27.1"
    assert toolchain.names().index("sdk2.29.1") < toolchain.names().index("sdk2.30.0")


def test_an_unknown_toolchain_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AotError) as caught:
        toolchain.load("../sdk2.28.0")
    assert caught.value.error_id is ErrorId.UNKNOWN_TOOLCHAIN
    assert "sdk2.28.0" in caught.value.remedy


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ('name = "sdk2.28.0"\nmystery = 1', "mystery"),
        ('name = "sdk2.28.0"\nbroken', "cannot be read"),
        ("", "name"),
    ],
)
def test_a_damaged_file_is_named_with_the_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, mark: str
) -> None:
    shutil.copytree(resources.manifests() / "toolchains" / "sdk2.28.0", tmp_path / "toolchains" / "sdk2.28.0")
    file = tmp_path / "toolchains" / "sdk2.28.0" / "toolchain.toml"
    file.write_text(file.read_text().replace('name = "sdk2.28.0"', line))
    monkeypatch.setattr(resources, "manifests", lambda: tmp_path)
    toolchain.names.cache_clear()
    toolchain.load.cache_clear()
    try:
        with pytest.raises(AotError, match=mark) as caught:
            toolchain.load("sdk2.28.0")
        assert caught.value.error_id is ErrorId.TOOLCHAIN_DAMAGED
    finally:
        monkeypatch.undo()
        toolchain.names.cache_clear()
        toolchain.load.cache_clear()


def test_a_target_that_the_toolchain_does_not_know_is_refused() -> None:
    chain = toolchain.choose(None, "trn2")
    assert "trn2" in chain.targets
    assert toolchain.choose("sdk2.28.0", "trn2").name == "sdk2.28.0"
