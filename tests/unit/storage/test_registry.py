"""Docker's credential helpers, against a registry of a few lines."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aot.errors import AotError, ErrorId
from aot.storage import registry

DIGEST = "sha256:" + "a" * 64


class Handler(BaseHTTPRequestHandler):
    """Repository ``open`` is everybody's with an anonymous token, ``closed`` nobody's."""

    def do_HEAD(self) -> None:
        allowed = "/open/" in self.path and self.headers.get("Authorization") == "Bearer anonymous"
        self.send_response(200 if allowed else 401)
        if allowed:
            self.send_header("Docker-Content-Digest", DIGEST)
        else:
            self.send_header("WWW-Authenticate", f'Bearer realm="http://{self.headers["Host"]}/token",service="x"')
        self.end_headers()

    def do_GET(self) -> None:
        body = json.dumps({"token": "anonymous"}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def stale_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "long-gone"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.mark.usefixtures("stale_helper")
def test_a_helper_that_is_gone_does_not_stop_an_anonymous_read(host: str) -> None:
    assert registry.resolve_digest(f"{host}/open/vllm:1") == DIGEST


@pytest.mark.usefixtures("stale_helper")
def test_a_helper_that_is_gone_is_named_where_credentials_are_wanted(host: str) -> None:
    with pytest.raises(AotError) as caught:
        registry.resolve_digest(f"{host}/closed/vllm:1")
    assert caught.value.error_id is ErrorId.REGISTRY_REFUSED
    assert "docker-credential-long-gone" in caught.value.reason
    assert "docker-credential-long-gone" in caught.value.remedy


def test_without_a_helper_the_advice_is_to_log_in(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(AotError, match="wants credentials") as caught:
        registry.resolve_digest(f"{host}/closed/vllm:1")
    assert "docker login" in caught.value.remedy
