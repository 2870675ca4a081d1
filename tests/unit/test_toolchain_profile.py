"""Profiles and tables of flags are checked once, when they are loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from aot import resources, toolchain
from aot.errors import AotError, ErrorId

MEASURED = ("sdk2.27.1", "sdk2.28.0", "sdk2.29.0")


@pytest.fixture
def manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that a test may damage."""
    copy = tmp_path / "manifests"
    shutil.copytree(resources.manifests(), copy)
    monkeypatch.setattr(resources, "manifests", lambda: copy)
    for cached in (toolchain.load_profile, toolchain.load_flags, toolchain.load, toolchain.names):
        cached.cache_clear()
    yield copy
    for cached in (toolchain.load_profile, toolchain.load_flags, toolchain.load, toolchain.names):
        cached.cache_clear()


def test_measured_releases_have_a_profile_and_flags() -> None:
    for name in MEASURED:
        assert toolchain.load_profile(name) is not None
        flags = toolchain.load_flags(name)
        assert flags is not None
        assert flags["vllm"] == toolchain.load(name).vllm
    assert toolchain.load_profile("sdk2.30.0") is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"engine": []}', "null"])
def test_a_damaged_profile_is_named(manifests: Path, content: str) -> None:
    (manifests / "toolchains" / "sdk2.28.0" / "profile.json").write_text(content)
    with pytest.raises(AotError, match=r"profile\.json of toolchain sdk2\.28\.0") as caught:
        toolchain.load_profile("sdk2.28.0")
    assert caught.value.error_id is ErrorId.TOOLCHAIN_DAMAGED


def test_a_profile_that_lacks_a_rule_is_named(manifests: Path) -> None:
    path = manifests / "toolchains" / "sdk2.28.0" / "profile.json"
    profile = json.loads(path.read_bytes())
    del profile["behaviour"]["fused_qkv_popped_twice"]
    path.write_text(json.dumps(profile))
    with pytest.raises(AotError, match="fused_qkv_popped_twice"):
        toolchain.load_profile("sdk2.28.0")


def test_a_damaged_table_of_flags_is_named(manifests: Path) -> None:
    (manifests / "vllm" / "0.13.0.json").write_text("{")
    with pytest.raises(AotError, match=r"0\.13\.0\.json of toolchain sdk2\.28\.0"):
        toolchain.load_flags("sdk2.28.0")
