"""Engine ``docker`` when something is missing or breaks: always an ``AotError`` with a remedy."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from aot.compile import container
from aot.compile.container import ContainerEngine
from aot.compile.engine import Needs
from aot.errors import AotError, ErrorId
from aot.progress import Silent
from tests.support.engine_contract import FAKE_RUNNER, Recorder, make_job
from tests.support.engine_docker import IMAGE, REPOSITORY, as_nobody, containers, docker, need_docker
from tests.support.engine_proxy import EngineProxy
from tests.support.require import require_root

CALLS: list[Callable[[ContainerEngine, Path], Any]] = [
    lambda engine, _: engine.preflight(Needs()),
    lambda engine, _: engine.reap(),
    lambda engine, _: engine.image_digest(IMAGE),
    lambda engine, root: engine.run(make_job(root, [], image=IMAGE), Recorder()),
]


@pytest.mark.parametrize("call", CALLS, ids=["preflight", "reap", "image_digest", "run"])
def test_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    with pytest.raises(AotError) as error:
        call(ContainerEngine(Silent()), tmp_path)
    assert error.value.error_id is ErrorId.ENGINE_UNAVAILABLE
    assert "nothing.sock" in error.value.reason
    assert "DOCKER_HOST" in error.value.remedy


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
    with pytest.raises(AotError, match="connection refused") as error:
        ContainerEngine(Silent()).reap()
    assert error.value.error_id is ErrorId.ENGINE_UNAVAILABLE


@pytest.mark.parametrize("host", ["ftp://nowhere", "tcp://"])
def test_addresses_that_cannot_work(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(AotError) as error:
        ContainerEngine(Silent()).preflight(Needs())
    assert error.value.error_id is ErrorId.ENGINE_UNAVAILABLE


def test_ssh_needs_paramiko(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://nobody@localhost.invalid")
    with pytest.raises(AotError) as error:
        ContainerEngine(Silent()).preflight(Needs())
    assert error.value.error_id is ErrorId.ENGINE_UNAVAILABLE
    if importlib.util.find_spec("paramiko") is None:
        assert "docker[ssh]" in error.value.remedy


@pytest.mark.docker
def test_permission_denied(tmp_path: Path) -> None:
    need_docker()
    require_root("setpriv", "become somebody without access")
    script = "from aot.compile.container import ContainerEngine; from aot.progress import Silent\n"
    script += "from aot.errors import AotError\n"
    script += (
        "try: ContainerEngine(Silent()).reap()\nexcept AotError as e: print(e.error_id.string_id, e.reason, e.remedy)"
    )
    command = [*as_nobody(group=65534), sys.executable, "-c", script]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert answer.stdout.startswith("engine-unavailable"), answer.stderr
    assert "permission denied" in answer.stdout
    assert "group" in answer.stdout


@pytest.mark.docker
@pytest.mark.parametrize(
    ("image", "remedy"),
    [("aot-simulator:not-there", "make simulator-image"), ("127.0.0.1:1/vllm@sha256:" + "0" * 64, "docker login")],
)
def test_missing_image(tmp_path: Path, image: str, remedy: str) -> None:
    need_docker()
    with pytest.raises(AotError) as error:
        ContainerEngine(Silent()).run(make_job(tmp_path, [], image=image), Recorder())
    assert error.value.error_id is ErrorId.IMAGE_MISSING
    assert image in error.value.reason
    assert remedy in error.value.remedy
    assert ContainerEngine(Silent()).image_digest(image) is None


@pytest.mark.docker
def test_python_that_the_image_lacks(tmp_path: Path) -> None:
    need_docker()
    seen = Recorder()
    engine = ContainerEngine(Silent(), runner=FAKE_RUNNER)
    ended = engine.run(make_job(tmp_path, [], image=IMAGE, python="/opt/conda/bin/python3"), seen)
    assert ended.status == 127
    assert b"/opt/conda/bin/python3" in b"".join(seen.err)


@pytest.mark.docker
def test_preflight_gives_numbers(tmp_path: Path) -> None:
    need_docker()
    engine = ContainerEngine(Silent())
    engine.preflight(Needs(memory_bytes=1 << 20, scratch_bytes=1, image_bytes=1, scratch_dir=tmp_path))
    for needs in (
        Needs(memory_bytes=1 << 60),
        Needs(scratch_bytes=1 << 60, scratch_dir=tmp_path),
        Needs(image_bytes=1 << 60),
    ):
        with pytest.raises(AotError) as error:
            engine.preflight(needs)
        assert error.value.error_id is ErrorId.HOST_TOO_SMALL
        assert "1048576.0 TiB" in error.value.reason
    engine.preflight(Needs(image_bytes=1 << 60, image=IMAGE))  # it is there already


@pytest.mark.docker
def test_output_goes_on_after_the_connection_broke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_docker()
    monkeypatch.setattr(container, "END_SECONDS", 1)
    with EngineProxy() as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.url)
        cut: list[int] = []
        seen = Recorder(lambda line: cut.append(proxy.cut()) if line == b"first" else None)
        steps = [["say", 1, "first\n"], ["sleep", 4], ["say", 1, "last\n"], ["output", "result.json", "{}"]]
        engine = ContainerEngine(Silent(), runner=FAKE_RUNNER)
        ended = engine.run(make_job(tmp_path, steps, image=IMAGE), seen)
    assert cut[0] > 0
    assert ended.status == 0
    assert (seen.out[0], seen.out[-1]) == (b"first", b"last")
    assert any(b"broke off" in line for line in seen.err)


@pytest.mark.docker
def test_engine_disappears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's machine goes away in the middle: an error, no hang; the container is reaped when it is back."""
    need_docker()
    with EngineProxy() as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.url)
        seen = Recorder(lambda _line: proxy.stop())
        job = make_job(tmp_path, [["say", 1, "up\n"], ["sleep", 60]], image=IMAGE)
        with pytest.raises(AotError) as error:
            ContainerEngine(Silent(), runner=FAKE_RUNNER).run(job, seen)
    assert error.value.error_id is ErrorId.ENGINE_UNAVAILABLE
    monkeypatch.delenv("DOCKER_HOST")
    (left,) = containers(os.getpid())
    docker("rm", "-f", left)


@contextmanager
def pretending_engine(answers: dict[str, tuple[int, Any]]) -> Iterator[str]:
    """A server that answers the engine's API with canned documents, by the end of the path."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            path = self.path.partition("?")[0]
            known = {"/version": (200, {"ApiVersion": "1.41", "MinAPIVersion": "1.12"}), **answers}
            status, document = next(
                (value for key, value in known.items() if path.endswith(key)), (404, {"message": "no such thing"})
            )
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 - names of http.server

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"tcp://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_another_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    with pretending_engine({"/info": (200, {"Architecture": "aarch64", "MemTotal": 1 << 40})}) as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        with pytest.raises(AotError, match="arm64") as error:
            ContainerEngine(Silent()).preflight(Needs())
        assert error.value.error_id is ErrorId.HOST_ARCHITECTURE
        ContainerEngine(Silent()).preflight(Needs(amd64=False))


def test_disk_full_while_pulling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine reports it as the last event of a stream that began with status 200."""
    failure = {"error": "write /var/lib/docker/tmp/x: no space left on device"}
    with pretending_engine({"/images/create": (200, failure)}) as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        with pytest.raises(AotError) as error:
            ContainerEngine(Silent()).run(make_job(tmp_path, [], image="example.invalid/vllm:1"), Recorder())
    assert error.value.error_id is ErrorId.DISK_FULL
    assert "docker system prune" in error.value.remedy


def test_an_engine_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pretending_engine({"/containers/json": (500, {"message": "database is locked"})}) as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        with pytest.raises(AotError, match="database is locked") as error:
            ContainerEngine(Silent()).reap()
    assert error.value.error_id is ErrorId.ENGINE_FAILED


@pytest.mark.parametrize(("first", "expected"), [(False, "sha256:local"), (True, "sha256:registry")])
def test_which_digest(monkeypatch: pytest.MonkeyPatch, first: bool, expected: str) -> None:
    image = {"Id": "sha256:id", "RepoDigests": ["other/vllm@sha256:other", "example.invalid/vllm@sha256:local"]}
    answers = {
        "/images/example.invalid/vllm:1/json": (200, image),
        "/distribution/example.invalid/vllm:1/json": (200, {"Descriptor": {"digest": "sha256:registry"}}),
    }
    with pretending_engine(answers) as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        found = ContainerEngine(Silent()).image_digest("example.invalid/vllm:1", registry_first=first)
    assert found == expected
