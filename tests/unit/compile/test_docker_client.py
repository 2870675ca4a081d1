"""A DOCKER_HOST that answers, and is no Docker engine; and a container that ends at the very limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
import requests

from aot.compile import docker_client, images
from aot.compile.container import ContainerEngine
from aot.errors import AotError, ErrorId
from aot.progress import Silent

VERSION = b'{"ApiVersion": "1.41"}'


@contextmanager
def service(answer: Callable[[str], tuple[int, bytes]]) -> Iterator[str]:
    """An HTTP service with ``answer(path)`` -> status and JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"tcp://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


BODIES = [b"{}", b"[]", b"null", b'"text"', b"7", b'{"error": "not found"}', b"<html>", b"", b'{"ApiVersion": "new"}']


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("body", BODIES)
def test_another_service_is_not_taken_for_an_engine(status: int, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(lambda _: (status, body)) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        with pytest.raises(AotError) as caught:
            docker_client.connect()
    assert caught.value.error_id is ErrorId.ENGINE_UNAVAILABLE
    assert caught.value.exit_code == 6
    assert "DOCKER_HOST" in caught.value.remedy


@pytest.mark.parametrize("body", [b"{}", b"[]", b'"text"'])
def test_an_engine_that_stops_speaking_like_one(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(lambda path: (200, VERSION) if path.endswith("/version") else (500, body)) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        with pytest.raises(AotError) as caught:
            images.inspect(docker_client.connect(), "x:1")
    assert caught.value.error_id in (ErrorId.ENGINE_UNAVAILABLE, ErrorId.ENGINE_FAILED)


def test_a_defect_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(KeyError), docker_client.speaking("testing"):
        raise KeyError("ours")


def engine(answer: Callable[[str], None]) -> ContainerEngine:
    made = ContainerEngine(Silent())
    made.__dict__["_client"] = SimpleNamespace(api=SimpleNamespace(kill=answer))  # what the cached property would hold
    return made


def refusing(status: int) -> Callable[[str], None]:
    def kill(_: str) -> None:
        response: Any = requests.Response()
        response.status_code = status
        raise docker.errors.APIError("no", response=response)

    return kill


@pytest.mark.parametrize("status", [404, 409])
def test_a_container_that_ended_at_its_limit_has_ended(status: int) -> None:
    assert engine(refusing(status))._kill("x") is False
    assert engine(lambda _: None)._kill("x") is True


def test_an_engine_that_cannot_kill_is_an_error() -> None:
    with pytest.raises(docker.errors.APIError):
        engine(refusing(500))._kill("x")
