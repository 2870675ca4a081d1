"""Engine ``docker`` against a real engine: everything that needs a container that runs."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aot.compile.container import ContainerEngine
from aot.compile.engine import Job
from aot.errors import AotError, ErrorId
from aot.progress import Silent
from tests.support.engine_contract import FAKE_RUNNER, MODEL_PATH, EngineContract, Recorder, interrupt, make_job
from tests.support.engine_docker import (
    IMAGE,
    REPOSITORY,
    as_nobody,
    containers,
    docker,
    inspect,
    need_docker,
    owner_command,
    volumes,
)
from tests.support.require import require_root

pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def _docker() -> Any:
    need_docker()
    yield
    assert containers(os.getpid()) == [], "a container was left behind"
    assert volumes(os.getpid()) == [], "a volume was left behind"


class Notes(Silent):
    """Progress that remembers."""

    def __init__(self) -> None:
        self.infos: list[str] = []

    def info(self, text: str) -> None:
        self.infos.append(text)


@pytest.fixture(params=["mount", "archive"])
def engine(request: pytest.FixtureRequest) -> ContainerEngine:
    return ContainerEngine(Silent(), transfer=request.param, runner=FAKE_RUNNER)


def job(root: Path, steps: Sequence[Any], **changes: Any) -> Job:
    return make_job(root, steps, **{"image": IMAGE, **changes})


class TestContract(EngineContract):
    image = IMAGE


def test_memory_limit(tmp_path: Path) -> None:
    engine = ContainerEngine(Silent(), runner=FAKE_RUNNER)
    ended = engine.run(job(tmp_path, [["hog", False]], memory_bytes=64 << 20), Recorder())
    assert (ended.status, ended.signal, ended.out_of_memory) == (137, "SIGKILL", True)
    assert "memory limit of 64.0 MiB" in ended.detail


def test_memory_limit_hits_a_child(tmp_path: Path) -> None:
    """The compiler dies, its parent reports a plain failure: the engine knows better."""
    engine = ContainerEngine(Silent(), runner=FAKE_RUNNER)
    ended = engine.run(job(tmp_path, [["hog", True]], memory_bytes=64 << 20), Recorder())
    assert ended.status in (1, 137)
    assert ended.out_of_memory


def test_killed_without_a_limit_is_only_probably_memory(tmp_path: Path) -> None:
    ended = ContainerEngine(Silent(), runner=FAKE_RUNNER).run(job(tmp_path, [["kill", 9]]), Recorder())
    assert ended.out_of_memory
    assert "probably" in ended.detail


def test_no_network(engine: ContainerEngine, tmp_path: Path) -> None:
    seen = Recorder()
    engine.run(job(tmp_path, [["facts"]]), seen)
    assert set(json.loads(seen.out[0])["interfaces"]) <= {
        "lo",
        "tunl0",
        "sit0",
        "ip6tnl0",
    }  # what an empty namespace has


def test_model_and_job_are_read_only(engine: ContainerEngine, tmp_path: Path) -> None:
    """Even for root, which ignores mode bits: the mount itself must be read-only."""
    seen = Recorder()
    engine.run(job(tmp_path, [["touch", MODEL_PATH], ["touch", "/aot/job"]]), seen)
    assert seen.out == [str(errno.EROFS).encode()] * 2
    assert not (tmp_path / "model" / "written").exists()


def test_image_keeps_its_python_path(tmp_path: Path) -> None:
    tag = f"aot-test:{uuid.uuid4().hex[:8]}"
    dockerfile = f"FROM {IMAGE}\nENV PYTHONPATH=/opt/vllm PATH=/opt/bin:/usr/bin:/bin\n"
    (tmp_path / "Dockerfile").write_text(dockerfile)
    subprocess.run(
        ["docker", "build", "-q", "-t", tag, str(tmp_path)],
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
        check=True,
        capture_output=True,
    )
    try:
        seen = Recorder()
        engine = ContainerEngine(Silent(), runner=FAKE_RUNNER)
        engine.run(job(tmp_path / "job", [["facts"]], image=tag), seen)
        environment = json.loads(seen.out[0])["environment"]
        assert environment["PYTHONPATH"] == "/aot/job:/opt/vllm"
        assert environment["PATH"] == "/opt/bin:/usr/bin:/bin"
    finally:
        docker("rmi", tag)


def test_inspect_shows_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the caller's environment nor the proxy settings in the docker configuration reach the container."""
    canary = uuid.uuid4().hex
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "https_proxy"):
        monkeypatch.setenv(name, canary)
    (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": {"httpProxy": f"http://u:{canary}@p"}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    found: list[dict[str, Any]] = []
    seen = Recorder(lambda _line: found.append(inspect(containers(os.getpid())[0])))
    ContainerEngine(Silent(), runner=FAKE_RUNNER).run(job(tmp_path, [["say", 1, "up\n"], ["sleep", 1]]), seen)
    assert canary not in json.dumps(found[0])
    assert {entry.partition("=")[0] for entry in found[0]["Config"]["Env"]} - {"PATH"} == {
        "NEURON_PLATFORM_TARGET_OVERRIDE",
        "HOME",
        "USER",
        "LOGNAME",
        "PYTHONPATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "LANG",
    }


def test_container_is_hardened(tmp_path: Path) -> None:
    found: list[dict[str, Any]] = []
    seen = Recorder(lambda _line: found.append(inspect(containers(os.getpid())[0])))
    engine = ContainerEngine(Silent(), runner=FAKE_RUNNER)
    engine.run(job(tmp_path, [["say", 1, "up\n"], ["sleep", 1]], memory_bytes=256 << 20), seen)
    config = found[0]["HostConfig"]
    assert (config["NetworkMode"], config["Init"], config["CapDrop"]) == ("none", True, ["ALL"])
    assert "no-new-privileges" in config["SecurityOpt"]
    assert (config["Memory"], config["MemorySwap"]) == (256 << 20, 256 << 20)
    assert found[0]["Config"]["User"] == f"{os.getuid()}:{os.getgid()}"


def test_links_in_the_output_do_not_come_back(tmp_path: Path) -> None:
    engine = ContainerEngine(Silent(), transfer="archive", runner=FAKE_RUNNER)
    with pytest.raises(AotError) as error:
        engine.run(job(tmp_path, [["link"]]), Recorder())
    assert error.value.error_id is ErrorId.RUNNER_FAILED
    assert list((tmp_path / "output").iterdir()) == []


@pytest.mark.parametrize("cut_short", [False, True])
def test_keep(engine: ContainerEngine, tmp_path: Path, cut_short: bool) -> None:
    seen = Recorder(interrupt if cut_short else None)
    try:
        engine.run(job(tmp_path, [["say", 1, "kept\n"], ["sleep", 60 if cut_short else 0]], keep=True), seen)
    except KeyboardInterrupt:
        assert cut_short
    (name,) = containers(os.getpid())
    try:
        assert inspect(name)["State"]["Running"] is False
        assert docker("logs", name).stdout == "kept\n"
        assert engine.reap() == []
        assert containers(os.getpid()) == [name]
    finally:
        docker("rm", "-v", name)
        for volume in volumes(os.getpid()):
            docker("volume", "rm", volume)


def test_modes_agree(tmp_path: Path) -> None:
    """Mounted or copied: the same job, the same output, the same facts but for what each run makes up itself."""
    results = {}
    for transfer in ("mount", "archive"):
        root = tmp_path / transfer
        seen = Recorder()
        steps = [["facts"], ["output", "compiled/model.pt", "neff"], ["output", "result.json", "{}"]]
        ended = ContainerEngine(Silent(), transfer=transfer, runner=FAKE_RUNNER).run(job(root, steps), seen)
        facts = json.loads(seen.out[0])
        facts["environment"].pop("HOSTNAME")
        files = {str(p.relative_to(root)): p.read_text() for p in (root / "output").rglob("*") if p.is_file()}
        modes = {str(p.relative_to(root)): p.stat().st_mode for p in (root / "output").rglob("*")}
        results[transfer] = (ended.status, facts, files, modes)
    assert results["mount"] == results["archive"]


def test_auto_finds_the_shared_file_system(tmp_path: Path) -> None:
    notes = Notes()
    ended = ContainerEngine(notes, runner=FAKE_RUNNER).run(job(tmp_path, []), Recorder())
    assert ended.status == 0
    assert notes.infos == []
    assert list((tmp_path / "output").iterdir()) == [], "the witness file is still there"


@pytest.mark.parametrize("there", ["nothing", "other files"])
def test_auto_finds_another_file_system(tmp_path: Path, there: str) -> None:
    """An engine that does not see our files: a mount namespace of our own, as in a container that drives its host.

    The nastier case is a path that exists on both sides and holds different files.
    """
    require_root("unshare", "hide a directory from the engine")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    if there == "other files":
        make_job(hidden, [])
        (hidden / "model" / "config.json").write_text("the wrong one")
    steps = [["facts"], ["output", "result.json", "copied"]]
    script = f'mount -t tmpfs none {hidden} && "$@" && cat {hidden}/output/result.json'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", *owner_command(sys.executable, hidden, steps)]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout.splitlines()[0])["model"] == {"config.json": '{"vocab_size": 151936}'}
    assert answer.stdout.endswith("copied")


PROBE = """
import sys
from pathlib import Path
from aot.compile.docker_client import connect
from aot.compile.placement import Directory, shares_file_system
found = (Directory("output", Path(sys.argv[1]), "/aot/output", writable=True),)
print(shares_file_system(connect(), sys.argv[2], found))
"""


@pytest.mark.parametrize("hide", [False, True])
def test_the_witness_decides(tmp_path: Path, hide: bool) -> None:
    """All paths exist over there: only the file put there for the purpose tells that they are others."""
    require_root("unshare", "hide a directory from the engine")
    script = f'mount -t tmpfs none {tmp_path} && "$@"' if hide else '"$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", PROBE, str(tmp_path), IMAGE]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert answer.stdout == f"{not hide}\n", answer.stderr


@pytest.mark.parametrize("transfer", ["mount", "archive"])
def test_another_user_owns_the_output(tmp_path: Path, transfer: str) -> None:
    """Run as an ordinary user with access to the socket; nothing of root's may be left in its directories."""
    socket = Path("/var/run/docker.sock")
    require_root("setpriv", "become somebody else")
    root = tmp_path / "theirs"
    root.mkdir()
    os.chown(root, 65534, 65534)
    steps = [["facts"], ["output", "compiled/model.pt", "neff"], ["append", "neff", "x"]]
    command = [*as_nobody(group=socket.stat().st_gid), *owner_command(sys.executable, root, steps, transfer)]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout.splitlines()[0])["uid"] == 65534
    assert {path.stat().st_uid for path in root.rglob("*")} == {65534}
    assert (root / "output" / "compiled" / "model.pt").read_text() == "neff"
