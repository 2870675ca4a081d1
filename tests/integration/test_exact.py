"""``aot plan --exact``: the image's own answer beside the prediction, on both engines, without a store."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import EXAMPLE, ROOT, SERVE, SIMULATE, Aot, Done
from tests.support.engine_docker import need_docker
from tests.support.require import require

FOUND = "cdb41dafa78720b351955fd849347b26"
PERTURB = "neuron_config.max_length=4096"


@pytest.fixture
def aot(tmp_path: Path) -> Aot:
    return Aot(tmp_path / "home", TMPDIR=str(tmp_path))


def exact(aot: Aot, *arguments: str, model: Path = EXAMPLE, **environment: str) -> Done:
    return aot("plan", str(model), *SERVE, "--exact", *arguments, **environment)


def test_an_equal_fingerprint(aot: Aot, tmp_path: Path) -> None:
    done = exact(aot, *SIMULATE, "--json")
    assert done.status == 0, done.stderr
    fingerprint = done.document["fingerprint"]
    assert fingerprint["predicted"] == fingerprint["found"] == FOUND
    assert (fingerprint["verdict"], fingerprint["differences"]) == ("equal", [])
    assert fingerprint["found_canonical_json"] == fingerprint["canonical_json"]
    assert done.document["exact"]["model_class"] == "NeuronQwen3ForCausalLM"
    assert done.document["exact"]["simulated"] is True
    assert not aot.store.exists()
    assert list(tmp_path.glob("aot-exact-*")) == []


def test_the_same_as_text(aot: Aot) -> None:
    done = exact(aot, *SIMULATE)
    assert done.status == 0, done.stderr
    assert f"{FOUND} found by the simulator: equal to the prediction" in done.stdout


def test_a_different_one_is_told_field_by_field_and_has_its_exit_code(aot: Aot) -> None:
    done = exact(aot, *SIMULATE, "--json", AOT_SIMULATOR_PERTURB=PERTURB)
    assert done.status == 8, done.stderr
    document = done.document
    differences = [{"path": "neuron_config.max_length", "left": 2048, "right": 4096}]
    assert document["fingerprint"]["verdict"] == "different"
    assert document["fingerprint"]["predicted"] == FOUND != document["fingerprint"]["found"]
    assert document["fingerprint"]["differences"] == differences
    assert document["error"]["id"] == "fingerprint-mismatch"
    assert document["error"]["exit_code"] == 8
    assert "error id: fingerprint-mismatch" in done.stderr
    assert document["key"]


def test_a_difference_as_text_and_allowed(aot: Aot) -> None:
    done = exact(aot, *SIMULATE, "--allow-mismatch", AOT_SIMULATOR_PERTURB=PERTURB)
    assert done.status == 0, done.stderr
    assert "DIFFERENT from the prediction" in done.stdout
    assert "neuron_config.max_length: 2048 predicted, 4096 found" in done.stdout
    assert "error" not in done.stderr


def test_what_our_rules_do_not_cover_is_answered_by_the_image(aot: Aot, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(EXAMPLE, model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "deep": json.loads("[" * 45 + "]" * 45)}))
    options = ("--model-path", "/models/some/model")
    plain = aot("plan", str(model), *SERVE, *options, "--simulate", "--json")
    assert plain.document["fingerprint"]["predicted"] is None
    done = exact(aot, *SIMULATE, *options, "--json", model=model)
    assert done.status == 0, done.stderr
    fingerprint = done.document["fingerprint"]
    assert fingerprint["predicted"] is None
    assert len(fingerprint["found"]) == 32
    assert json.loads(fingerprint["found_canonical_json"])["deep"] == json.loads("[" * 45 + "]" * 45)
    assert (fingerprint["verdict"], fingerprint["differences"]) == ("not predicted", [])
    text = exact(aot, *SIMULATE, *options, model=model)
    assert "found by the simulator: not predicted" in text.stdout


def test_a_request_that_the_image_refuses(aot: Aot) -> None:
    done = exact(aot, *SIMULATE, "--json", AOT_SIMULATOR_FAIL="refused")
    assert done.status == 3
    assert done.document["error"]["id"] == "refused-by-server"
    assert "SIMULATED refusal" in done.document["error"]["reason"]


def test_engine_local_is_for_the_simulator_only(aot: Aot) -> None:
    done = exact(aot, "--engine", "local", "--json")
    assert (done.status, done.document["error"]["id"]) == (6, "engine-local-needs-simulate")


def test_without_exact_nothing_is_started(aot: Aot) -> None:
    done = aot("plan", str(EXAMPLE), *SERVE, "--simulate", "--json", AOT_SIMULATOR_FAIL="refused")
    assert done.status == 0, done.stderr
    assert "found" not in done.document["fingerprint"]


@pytest.mark.docker
@pytest.mark.xdist_group("docker-build")
def test_in_a_container(aot: Aot) -> None:
    need_docker()
    script = ROOT / "tests" / "support" / "simulator_image.sh"
    made = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=False)
    require("docker", made.returncode == 0, f"the simulator image cannot be built: {made.stderr[-300:]}")
    done = exact(aot, "--simulate", "--json")
    assert done.status == 0, done.stderr
    assert done.document["fingerprint"]["found"] == FOUND
    differs = exact(aot, "--simulate", "--json", AOT_SIMULATOR_PERTURB=PERTURB)
    assert (differs.status, differs.document["error"]["id"]) == (8, "fingerprint-mismatch")
