"""``aot toolchain capture`` in the simulator, and ``diff`` of what it wrote."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aot import toolchain
from aot.fingerprint import profile as profiles
from tests.support.cli import ROOT, SIMULATE, Aot
from tests.support.engine_docker import IMAGE, need_docker
from tests.support.require import require

RELEASES = ("sdk2.28.0", "sdk2.29.0")
COMPUTED = {
    "ctx_batch_size", "enable_token_tree", "is_chunked_prefill", "is_hidden_dim_shuffled",
    "is_intermediate_dim_shuffled", "is_prefill_stage", "kv_cache_tiling", "kv_cache_update_with_kernel", "lm_head_pad",
    "logical_nc_config", "max_new_tokens", "overrides_torch_dtype", "scratchpad_page_size", "tile_cc", "torch_dtype",
}  # fmt: skip
"""What the rules compute and an instance of the simulator shows as a plain value."""


@pytest.fixture
def aot(tmp_path: Path) -> Aot:
    return Aot(tmp_path / "home", TMPDIR=str(tmp_path))


def capture(aot: Aot, release: str, output: Path, *arguments: str) -> dict[str, Any]:
    done = aot("toolchain", "capture", release, *(arguments or SIMULATE), "--output", str(output), "--json")
    assert done.status == 0, done.stderr
    return done.document


def read(output: Path) -> dict[str, Any]:
    profile: dict[str, Any] = json.loads((output / "profile.json").read_bytes())
    return profile


@pytest.mark.parametrize("release", RELEASES)
def test_defaults_are_those_of_the_packaged_profile(aot: Aot, tmp_path: Path, release: str) -> None:
    capture(aot, release, tmp_path / "out")
    found = read(tmp_path / "out")
    packaged = toolchain.load_profile(release)
    assert packaged is not None
    here, there = found["neuron_config"], packaged["neuron_config"]
    assert len(here["defaults"]) > 100
    assert {name: there["defaults"][name] for name in here["defaults"].keys() - COMPUTED} == {
        name: value for name, value in here["defaults"].items() if name not in COMPUTED
    }
    assert here["default_from"].items() - {("world_size", "tp_degree"), ("local_ranks_size", "tp_degree")} <= (
        there["default_from"].items()
    )
    architectures = found["plugin"]["architectures"]
    assert architectures == {name: packaged["plugin"]["architectures"][name] for name in architectures}
    assert "Qwen3ForCausalLM" in architectures
    member = "hardware_enum_custom_member"
    assert found["behaviour"][member] == packaged["behaviour"][member]
    assert found["simulated"] is True


def test_two_runs_write_the_same_bytes(aot: Aot, tmp_path: Path) -> None:
    for name in ("a", "b"):
        capture(aot, "sdk2.28.0", tmp_path / name)
    for file in ("profile.json", "toolchain.toml"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert list(tmp_path.glob("aot-capture-*")) == []


def test_what_is_not_found_is_said_and_not_invented(aot: Aot, tmp_path: Path) -> None:
    done = aot("toolchain", "capture", "sdk2.28.0", *SIMULATE, "--output", str(tmp_path / "out"))
    assert done.status == 0, done.stderr
    profile = read(tmp_path / "out")
    assert "quantization_methods" not in profile["engine"]
    assert "engine.quantization_methods" in profile["not_captured"]
    assert "not captured: engine.quantization_methods" in done.stderr
    assert "the profile lacks" in done.stdout
    with pytest.raises(ValueError, match="lacks"):
        profiles.check(profile)
    assert "# not captured: targets" in (tmp_path / "out" / "toolchain.toml").read_text()


def test_the_diff_of_two_captures_names_the_new_key(aot: Aot, tmp_path: Path) -> None:
    for release in RELEASES:
        capture(aot, release, tmp_path / release)
    left, right = (str(tmp_path / release) for release in RELEASES)
    text = aot("toolchain", "diff", left, right)
    assert text.status == 0, text.stderr
    assert "+ neuron_config.defaults.enable_ve_data_parallel = false" in text.stdout
    assert "hardware_enum_hijacked: true -> false" in text.stdout
    found = aot("toolchain", "diff", left, right, "--json").document["differences"]
    assert {
        "section": "NeuronConfig",
        "path": "neuron_config.defaults.enable_ve_data_parallel",
        "kind": "added",
        "right": False,
    } in found
    same = aot("toolchain", "diff", left, left)
    assert same.stdout == "no difference\n"


def test_the_diff_of_packaged_releases(aot: Aot) -> None:
    done = aot("toolchain", "diff", *RELEASES)
    assert "+ plugin.architectures.Gemma3ForCausalLM" in done.stdout
    assert "+ neuron_config.defaults.enable_ve_data_parallel = false" in done.stdout
    bare = aot("toolchain", "diff", "sdk2.29.0", "sdk2.30.0")
    assert "sdk2.30.0 has no profile" in bare.stdout


def test_base_fills_only_rules_and_trials(aot: Aot, tmp_path: Path) -> None:
    document = capture(aot, "sdk2.28.0", tmp_path / "out", *SIMULATE, "--base", "sdk2.28.0")
    carried = read(tmp_path / "out")["carried_over"]
    assert document["carried_over"] == carried
    assert "engine.quantization_methods" in carried["paths"]
    assert not any(path.startswith("neuron_config") for path in carried["paths"])
    # The simulator's code is none of upstream's: no rule may be trusted with it.
    assert "model_classes.NeuronQwen3ForCausalLM" not in carried["paths"]
    assert document["changed_code"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("registry.example.com/vllm:latest", *SIMULATE), 2),
        (("sdk0.0.0", *SIMULATE), 5),
        (("sdk2.28.0", "--engine", "local"), 6),
        (("sdk2.28.0", *SIMULATE, "--base", "sdk2.30.0"), 2),
    ],
)
def test_what_cannot_be_captured(aot: Aot, arguments: tuple[str, ...], status: int) -> None:
    done = aot("toolchain", "capture", *arguments)
    assert done.status == status, done.stderr
    assert list(aot.home.iterdir()) == []


@pytest.mark.docker
@pytest.mark.xdist_group("docker-build")
def test_an_image_of_something_else_is_refused(aot: Aot) -> None:
    need_docker()
    done = aot("toolchain", "capture", IMAGE, "--name", "sdk9.9.9", "--python", "python3", "--json")
    assert done.status == 5, done.stderr
    assert done.document["error"]["id"] == "not-a-neuron-image"
    assert list(aot.home.iterdir()) == []


@pytest.mark.docker
@pytest.mark.xdist_group("docker-build")
def test_in_a_container_the_same_bytes_come_out(aot: Aot, tmp_path: Path) -> None:
    need_docker()
    script = ROOT / "tests" / "support" / "simulator_image.sh"
    made = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=False)
    require("docker", made.returncode == 0, f"the simulator image cannot be built: {made.stderr[-300:]}")
    capture(aot, "sdk2.29.0", tmp_path / "local")
    capture(aot, "sdk2.29.0", tmp_path / "docker", "--simulate")
    assert (tmp_path / "local" / "profile.json").read_bytes() == (tmp_path / "docker" / "profile.json").read_bytes()
