"""Engine ``docker`` over the ways a far engine is reached: plain TCP, TLS, a docker context."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aot.compile.container import ContainerEngine
from aot.progress import Silent
from tests.support.engine_contract import FAKE_RUNNER, Recorder, make_job
from tests.support.engine_docker import IMAGE, containers, docker, need_docker
from tests.support.engine_proxy import EngineProxy, make_certificates
from tests.support.require import require

pytestmark = pytest.mark.docker


@pytest.fixture(params=["tcp", "tls", "context"])
def far_engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine, further away than it is."""
    need_docker()
    tls = None
    if request.param == "tls":
        require("docker", shutil.which("openssl") is not None, "there is no openssl to make certificates with")
        tls = make_certificates(tmp_path)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(no_certificates(tmp_path)))
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with EngineProxy(tls=tls) as proxy:
        if request.param == "context":
            use_context(tmp_path, proxy.url, monkeypatch)
        else:
            monkeypatch.setenv("DOCKER_HOST", proxy.url)
        yield


def no_certificates(directory: Path) -> Path:
    """What a company's environment says about the web must not be applied to the engine."""
    bundle = directory / "bundle.pem"
    bundle.write_bytes(b"")
    return bundle


def use_context(directory: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the engine's address known by a docker context alone."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(directory / "config"))
    docker("context", "create", "far", "--docker", f"host={url}")
    docker("context", "use", "far")


@pytest.mark.usefixtures("far_engine")
@pytest.mark.parametrize("transfer", ["auto", "archive"])
def test_run(tmp_path: Path, transfer: str) -> None:
    seen = Recorder()
    steps = [["flood", 1_000_000], ["output", "compiled/model.pt", "x" * 200_000], ["exit", 3]]
    engine = ContainerEngine(Silent(), transfer=transfer, runner=FAKE_RUNNER)  # type: ignore[arg-type]
    ended = engine.run(make_job(tmp_path / "job", steps, image=IMAGE), seen)
    assert ended.status == 3
    assert (len(seen.out), len(seen.err)) == (10_000, 10_000)
    assert (tmp_path / "job" / "output" / "compiled" / "model.pt").stat().st_size == 200_000
    assert containers(os.getpid()) == []


@pytest.mark.usefixtures("far_engine")
def test_a_line_arrives_when_it_is_printed(tmp_path: Path) -> None:
    """Over TLS a line must not wait for the next one."""
    arrived: list[float] = []
    job = make_job(tmp_path / "job", [["say", 1, "one\ntwo\n"], ["sleep", 3]], image=IMAGE)
    ContainerEngine(Silent(), runner=FAKE_RUNNER).run(job, Recorder(lambda _line: arrived.append(time.monotonic())))
    assert len(arrived) == 2
    assert time.monotonic() - arrived[-1] > 2.5
