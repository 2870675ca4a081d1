"""The whole street on a real Docker daemon, with the simulator's image; the store's artifact read by Docker itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.cli import EXAMPLE, ROOT, SERVE, Aot
from tests.support.engine_docker import containers, need_docker
from tests.support.registry import running_registry
from tests.support.require import require

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker-build")]
BUILD = ("build", str(EXAMPLE), *SERVE, "--simulate", "--json")


@pytest.fixture(scope="module")
def image() -> str:
    need_docker()
    script = ROOT / "tests" / "support" / "simulator_image.sh"
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=False)
    require("docker", done.returncode == 0, f"the simulator image cannot be built: {done.stderr[-300:]}")
    return done.stdout.strip()


@pytest.fixture
def aot(tmp_path: Path, image: str) -> Aot:
    return Aot(tmp_path / "home")


def start_hanging(aot: Aot) -> subprocess.Popen[str]:
    """A build whose compile never ends, seen to have its container."""
    process = aot.start(*BUILD, "--engine", "docker", AOT_SIMULATOR_FAIL="hang")
    deadline = time.monotonic() + 60
    while not containers(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(containers(process.pid)) == 1
    return process


def test_a_container_gives_the_digest_that_the_local_engine_gives(aot: Aot, tmp_path: Path) -> None:
    contained = aot(*BUILD, "--engine", "docker")
    assert contained.status == 0, contained.stderr
    assert [attempt["outcome"] for attempt in contained.document["attempts"]] == ["failed", "compiled"]
    local = Aot(tmp_path / "other")(*BUILD, "--engine", "local")
    assert contained.document["artifact"]["digest"] == local.document["artifact"]["digest"]


def test_a_killed_build_is_reaped_by_the_next_one(aot: Aot) -> None:
    process = start_hanging(aot)
    process.kill()
    process.communicate(timeout=30)
    assert len(containers(process.pid)) == 1
    done = aot(*BUILD, "--engine", "docker")
    assert done.status == 0, done.stderr
    assert "left behind" in done.stderr
    assert containers(process.pid) == []
    assert aot("verify").status == 0


@pytest.mark.parametrize(("number", "status"), [(2, 130), (15, 143)])
def test_an_interrupt_removes_the_container(aot: Aot, number: int, status: int) -> None:
    process = start_hanging(aot)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, json.loads(stdout)["error"]["exit_code"]) == (status, status), stderr
    assert containers(process.pid) == []
    assert aot("verify").status == 0


def test_an_image_that_is_not_there_is_said_with_the_way_to_get_it(aot: Aot) -> None:
    done = aot(*BUILD, "--engine", "docker", "--simulator-image", "aot-simulator:000000000000")
    assert (done.status, done.document["error"]["id"]) == (6, "image-missing")
    assert "make simulator-image" in done.document["error"]["remedy"]


def test_a_daemon_that_is_not_there_is_said(aot: Aot) -> None:
    done = aot(*BUILD, "--engine", "docker", DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert (done.status, done.document["error"]["id"]) == (6, "engine-unavailable")


@pytest.mark.registry
@pytest.mark.skopeo
def test_docker_pulls_the_artifact_by_its_digest(aot: Aot, tmp_path: Path) -> None:
    require("skopeo", shutil.which("skopeo") is not None, "there is no skopeo on the PATH")
    artifact = aot(*BUILD, "--engine", "docker").document["artifact"]
    with running_registry(tmp_path) as host:
        copy = ["skopeo", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false", artifact["reference"]]
        subprocess.run([*copy, f"docker://{host}/models/qwen3:1"], check=True)
        reference = f"{host}/models/qwen3@{artifact['digest']}"
        subprocess.run(["docker", "pull", "--quiet", reference], check=True, capture_output=True)
        subprocess.run(["docker", "image", "rm", reference], check=False, capture_output=True)
