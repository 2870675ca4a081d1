"""``aot toolchain lock`` against Debian's docker-registry."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from pathlib import Path

import pytest

from aot import lock, locking
from aot.errors import AotError, ErrorId
from aot.progress import Silent
from tests.support.cli import Aot
from tests.support.registry import running_registry

pytestmark = pytest.mark.registry
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def push(host: str, text: str) -> str:
    """Put a minimal image under ``neuron/vllm:1`` and return its digest."""
    config = json.dumps({"text": text, "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    blob = "sha256:" + hashlib.sha256(config).hexdigest()
    upload = urllib.request.Request(f"http://{host}/v2/neuron/vllm/blobs/uploads/", method="POST")
    with urllib.request.urlopen(upload) as answer:
        place = answer.headers["Location"]
    separator = "&" if "?" in place else "?"
    put(f"{place}{separator}digest={blob}", config, "application/octet-stream")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob, "size": len(config)},
        "layers": [],
    }
    content = json.dumps(manifest).encode()
    put(f"http://{host}/v2/neuron/vllm/manifests/1", content, MANIFEST)
    return "sha256:" + hashlib.sha256(content).hexdigest()


def put(url: str, content: bytes, kind: str) -> None:
    with urllib.request.urlopen(
        urllib.request.Request(url, data=content, method="PUT", headers={"Content-Type": kind})
    ) as answer:
        assert answer.status == 201


def test_lock_resolves_writes_notices_a_moved_tag_and_accepts_it_on_request(tmp_path: Path) -> None:
    with running_registry(tmp_path) as host:
        image = f"{host}/neuron/vllm:1"
        aot = Aot(tmp_path / "home")
        first = push(host, "first")
        done = aot("toolchain", "lock", "sdk2.28.0", "--image", image, "--json")
        assert done.status == 0, done.stderr
        assert done.document["toolchains"]["sdk2.28.0"] == {"image": image, "digest": first}
        path = tmp_path / "home" / "aot.lock"
        assert lock.read(path).toolchains["sdk2.28.0"].digest == first
        assert locking.ensure_locked("sdk2.28.0", path, Silent()).digest == first

        second = push(host, "second")
        assert second != first
        refused = aot("toolchain", "lock", "sdk2.28.0")
        assert refused.status == 5
        assert first in refused.stderr
        assert second in refused.stderr
        with pytest.raises(AotError) as caught:
            locking.ensure_locked("sdk2.28.0", path, Silent())
        assert caught.value.error_id is ErrorId.LOCK_MOVED
        assert lock.read(path).toolchains["sdk2.28.0"].digest == first

        assert aot("toolchain", "lock", "sdk2.28.0", "--update").status == 0
        assert lock.read(path).toolchains["sdk2.28.0"].digest == second


def test_what_a_registry_does_not_have_is_said(tmp_path: Path) -> None:
    with running_registry(tmp_path) as host:
        done = Aot(tmp_path / "home")("toolchain", "lock", "sdk2.28.0", "--image", f"{host}/neuron/none:1", "--json")
        assert done.status == 12
        assert done.document["error"]["id"] == "registry-refused"
        assert "no such tag" in done.document["error"]["reason"]
        assert not (tmp_path / "home" / "aot.lock").exists()


def test_a_registry_that_is_gone_does_not_stop_a_build_by_a_locked_digest(tmp_path: Path) -> None:
    path = tmp_path / "aot.lock"
    pin = lock.Pin("127.0.0.1:9/neuron/vllm:1", "sha256:" + "b" * 64)
    lock.add(path, "sdk2.28.0", pin)
    assert locking.ensure_locked("sdk2.28.0", path, Silent()) == pin
    with pytest.raises(AotError) as caught:
        locking.lock_toolchains(["sdk2.28.0"], path, image=None, update=False, progress=Silent())
    assert caught.value.error_id is ErrorId.REGISTRY_UNREACHABLE
