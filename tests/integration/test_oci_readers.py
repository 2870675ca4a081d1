"""An artifact as others see it: skopeo, docker-registry 2.8, Docker 20.10 and containerd 1.6."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from aot.artifact.image import ARTIFACT_TYPE
from aot.artifact.layout import MANIFEST_TYPE
from aot.check.verify import verify
from aot.storage.local import LocalStore
from tests.support.artifacts import put_artifact
from tests.support.engine_docker import need_docker
from tests.support.mounts import small_disk
from tests.support.registry import running_registry
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aot.storage.stored import Stored

_CONTAINERD = Path("/run/docker/containerd/containerd.sock")


@pytest.fixture
def artifact(tmp_path: Path) -> Stored:
    store = LocalStore(tmp_path / "store").open_or_create()
    put = put_artifact(store, tmp_path, content=b"model" * 100_000)
    store.attach_report(put.digest, {"seconds": 1})
    return put


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with running_registry(tmp_path) as host:
        yield host


def _run(*command: str | Path) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _skopeo(*arguments: str) -> bytes:
    require("skopeo", shutil.which("skopeo") is not None, "there is no skopeo on the PATH")
    return _run("skopeo", *arguments)


def _push(artifact: Stored, host: str) -> str:
    """Copy to the registry with skopeo; returns the reference by digest."""
    copy = ["copy", "--preserve-digests", "--dest-tls-verify=false"]
    _skopeo(*copy, artifact.reference, f"docker://{host}/team/qwen:{artifact.tags[0]}")
    return f"{host}/team/qwen@{artifact.digest}"


@pytest.mark.skopeo
class TestSkopeo:
    """The store is an OCI image layout."""

    def test_raw_manifest_has_the_digest(self, artifact: Stored) -> None:
        raw = _skopeo("inspect", "--raw", artifact.reference)
        assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == artifact.digest
        assert json.loads(raw)["artifactType"] == ARTIFACT_TYPE

    def test_inspect_understands_the_config(self, artifact: Stored) -> None:
        seen = json.loads(_skopeo("inspect", artifact.reference))
        assert (seen["Digest"], seen["Architecture"], seen["Os"]) == (artifact.digest, "amd64", "linux")
        assert seen["Labels"] == artifact.manifest.annotations
        assert seen["Layers"] == [layer.digest for layer in artifact.manifest.layers]

    def test_copy_to_another_layout_and_back_into_a_store(self, artifact: Stored, tmp_path: Path) -> None:
        _skopeo("copy", "--preserve-digests", artifact.reference, f"oci:{tmp_path}/copy:{artifact.tags[0]}")
        copy = LocalStore(tmp_path / "copy").open()
        assert copy.find(artifact.key, pytest.fail) is not None
        assert verify(copy, artifact.digest).ok
        copy.open_or_create()
        assert put_artifact(copy, tmp_path, "b").digest in {row.digest for row in copy.list()}


@pytest.mark.skopeo
@pytest.mark.registry
class TestRegistry:
    """docker-registry 2.8 stores it unchanged."""

    def test_digest_survives(self, artifact: Stored, registry: str) -> None:
        reference = _push(artifact, registry)
        raw = _skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}")
        assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == artifact.digest

    def test_key_is_one_head_request(self, artifact: Stored, registry: str) -> None:
        _push(artifact, registry)
        url = f"http://{registry}/v2/team/qwen/manifests/{artifact.tags[0]}"
        answer = httpx.head(url, headers={"Accept": MANIFEST_TYPE})
        assert (answer.status_code, answer.headers["Docker-Content-Digest"]) == (200, artifact.digest)

    def test_back_into_a_layout(self, artifact: Stored, registry: str, tmp_path: Path) -> None:
        reference = _push(artifact, registry)
        copy = ["copy", "--preserve-digests", "--src-tls-verify=false"]
        _skopeo(*copy, f"docker://{reference}", f"oci:{tmp_path}/back:{artifact.tags[0]}")
        found = LocalStore(tmp_path / "back").open().resolve(None)
        assert (found.digest, found.record) == (artifact.digest, artifact.record)

    def test_a_report_is_accepted(self, artifact: Stored, registry: str) -> None:
        """A referrer with the empty config: no engine ever pulls it, a registry has to keep it."""
        _push(artifact, registry)
        store = LocalStore(artifact.store)
        entry = next(entry for entry, _ in store.images() if entry.digest != artifact.digest)
        layout = artifact.store / "blobs/sha256"
        content = (layout / entry.digest[7:]).read_bytes()
        manifest: dict[str, Any] = json.loads(content)
        for blob in (manifest["config"], *manifest["layers"]):
            _upload(registry, (layout / blob["digest"][7:]).read_bytes(), blob["digest"])
        url = f"http://{registry}/v2/team/qwen/manifests/{entry.digest}"
        assert httpx.put(url, content=content, headers={"Content-Type": MANIFEST_TYPE}).status_code == 201


def _upload(host: str, content: bytes, digest: str) -> None:
    location = httpx.post(f"http://{host}/v2/team/qwen/blobs/uploads/").headers["Location"]
    assert httpx.put(f"{location}&digest={digest}", content=content).status_code == 201


@pytest.mark.docker
@pytest.mark.skopeo
@pytest.mark.registry
class TestEngines:
    """A node can pull it, as an image volume or an init container needs it."""

    def test_docker_pulls_by_digest(self, artifact: Stored, registry: str, tmp_path: Path) -> None:
        need_docker()
        reference = _push(artifact, registry)
        try:
            _run("docker", "pull", "--quiet", reference)
            seen = json.loads(_run("docker", "image", "inspect", reference))[0]
            container = _run("docker", "create", reference, "none").decode().strip()
            try:
                _run("docker", "cp", f"{container}:/compiled", tmp_path / "copied")
            finally:
                _run("docker", "rm", container)
        finally:
            _run("docker", "image", "rm", "--force", reference)
        assert seen["RepoDigests"] == [reference]
        assert seen["RootFS"]["Layers"] == [layer.digest for layer in artifact.manifest.layers]
        assert (tmp_path / "copied/model.pt").read_bytes() == b"model" * 100_000

    def test_containerd_pulls_and_unpacks(self, artifact: Stored, registry: str, tmp_path: Path) -> None:
        available = shutil.which("ctr") is not None and os.access(_CONTAINERD, os.W_OK)
        require("containerd", available, "there is no ctr, or no containerd beside the Docker engine")
        with small_disk(tmp_path / "probe"):
            pass  # reading the unpacked image needs a mount, too
        reference = _push(artifact, registry)
        ctr = ["ctr", "--address", str(_CONTAINERD), "--namespace", "aot-tests", "images"]
        native = ["--snapshotter", "native"]
        mounted = tmp_path / "mounted"
        mounted.mkdir()
        try:
            _run(*ctr, "pull", "--plain-http", *native, reference)
            _run(*ctr, "mount", *native, reference, mounted)
            assert (mounted / "compiled/model.pt").read_bytes() == b"model" * 100_000
        finally:
            subprocess.run([*ctr, "unmount", *native, "--rm", mounted], check=False, capture_output=True)
            subprocess.run([*ctr, "rm", reference], check=False, capture_output=True)


def test_gnu_tar_reads_every_layer(artifact: Stored) -> None:
    names = []
    for layer in artifact.manifest.layers:
        path = artifact.store / "blobs/sha256" / layer.digest[7:]
        names += _run("tar", "-tf", path).decode().split()
        with tarfile.open(path) as archive:
            assert all(member.mtime == 0 for member in archive)
    assert names == ["compiled/", "record.json", "compiled/neuron_config.json", "compiled/", "compiled/model.pt"]
