"""Images: pulled when they are not there, and known by the digest the registry gave them. Real engine and registry."""

from __future__ import annotations

import io
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from aot import resources
from aot.compile import simulator_image
from aot.compile.container import ContainerEngine
from aot.errors import AotError, ErrorId
from aot.progress import Silent
from tests.support.engine_contract import Recorder, make_job
from tests.support.engine_docker import docker, need_docker
from tests.support.registry import running_registry

pytestmark = [pytest.mark.docker, pytest.mark.registry]


class Notes(Silent):
    """Progress that remembers."""

    def __init__(self) -> None:
        self.infos: list[str] = []

    def info(self, text: str) -> None:
        self.infos.append(text)


@pytest.fixture
def pushed(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A tiny image that only the registry has: its reference with a tag, and its digest there."""
    need_docker()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(f"etc/{uuid.uuid4().hex}"))
    with running_registry(tmp_path) as address:
        reference = f"{address}/vllm:1"
        subprocess.run(["docker", "import", "-", reference], input=stream.getvalue(), check=True, capture_output=True)
        answer = docker("push", reference).stdout
        docker("rmi", "-f", reference)
        yield reference, answer.rpartition("digest: ")[2].split()[0]
        docker("rmi", "-f", reference, check=False)


def test_pulled_once_and_known_by_digest(pushed: tuple[str, str], tmp_path: Path) -> None:
    reference, digest = pushed
    notes = Notes()
    engine = ContainerEngine(notes)
    assert engine.image_digest(reference) == digest, "asked of the registry, through the engine"
    pinned = f"{reference}@{digest}"
    for _ in range(2):
        ended = engine.run(make_job(tmp_path / "job", [], image=pinned), Recorder())
        assert ended.status == 127  # there is no Python in it
    assert notes.infos == [f"pulling {pinned}"]
    assert engine.image_digest(pinned) == digest
    docker("rmi", "-f", f"{reference.removesuffix(':1')}@{digest}")


def test_a_moved_tag_shows_only_in_the_registry(pushed: tuple[str, str]) -> None:
    """A tag that was pulled long ago still has its old digest here: a lock must ask the registry."""
    reference, digest = pushed
    docker("pull", reference)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("etc/newer"))
    other = reference.replace(":1", ":2")
    subprocess.run(["docker", "import", "-", other], input=stream.getvalue(), check=True, capture_output=True)
    docker("push", other)
    engine = ContainerEngine(Silent())
    assert engine.image_digest(reference) == engine.image_digest(reference, registry_first=True) == digest
    docker("rmi", "-f", reference)
    docker("tag", other, reference)
    docker("push", reference)
    docker("rmi", "-f", other)
    assert engine.image_digest(reference, registry_first=True) != digest


def test_tag_that_the_registry_lacks(pushed: tuple[str, str], tmp_path: Path) -> None:
    missing = pushed[0].replace(":1", ":9")
    with pytest.raises(AotError) as error:
        ContainerEngine(Silent()).run(make_job(tmp_path / "job", [], image=missing), Recorder())
    assert error.value.error_id is ErrorId.IMAGE_MISSING
    assert ContainerEngine(Silent()).image_digest(missing) is None


def test_image_built_here_is_known_by_its_id() -> None:
    need_docker()
    reference = f"aot-test:{uuid.uuid4().hex[:8]}"
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("etc/here"))
    made = subprocess.run(
        ["docker", "import", "-", reference], input=stream.getvalue(), check=True, capture_output=True
    )
    try:
        assert ContainerEngine(Silent()).image_digest(reference) == made.stdout.decode().strip()
    finally:
        docker("rmi", reference)


def test_missing_simulator_image_says_how_to_build_it(tmp_path: Path) -> None:
    need_docker()
    with pytest.raises(AotError) as error:
        ContainerEngine(Silent()).run(make_job(tmp_path, [], image="aot-simulator:0"), Recorder())
    assert f"-t aot-simulator:0 {resources.simulator()}" in error.value.remedy
    assert simulator_image.reference(resources.simulator()).startswith("aot-simulator:")
