"""Making the directories of a job appear in its container, on an engine that shares our file system or does not."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import docker.errors
from docker.types import Mount

from aot.compile import archive, owner
from aot.compile.docker_client import speaking
from aot.compile.engine import JobPaths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient

    from aot.compile.engine import Job

INSIDE = JobPaths(job="/aot/job", output="/aot/output", cache="/aot/cache", work="/aot/work")


@dataclass(frozen=True)
class Directory:
    """One directory of a job: where it is here, where the runner sees it."""

    name: str
    here: Path
    inside: str
    writable: bool


def directories(job: Job, attempt: Path, model_dir: Path) -> tuple[Directory, ...]:
    """All of a job's directories, those of ``engine.attempt_dir`` included.

    The model appears at its canonical path, because that string is hashed.
    """
    return (
        Directory("job", attempt / "job", INSIDE.job, writable=False),
        Directory("model", model_dir, job.model_path, writable=False),
        Directory("output", job.output_dir, INSIDE.output, writable=True),
        Directory("cache", job.cache_dir, INSIDE.cache, writable=True),
        Directory("work", attempt / "work", INSIDE.work, writable=True),
    )


class Placement(Protocol):
    """How directories get in and out."""

    def prepare(self) -> list[Mount]:
        """The mounts to create the container with."""

    def collect(self, container: str) -> None:
        """The container has ended: bring its output here."""

    def remove(self) -> None:
        """Undo ``prepare``, once the container is gone."""


class BindPlacement:
    """Bind mounts: the engine sees our file system."""

    def __init__(self, found: tuple[Directory, ...]) -> None:
        self._directories = found

    def prepare(self) -> list[Mount]:
        """Mounts of type "bind": unlike ``-v`` they fail when the source is missing instead of creating it as root."""
        return [
            Mount(each.inside, str(each.here.resolve()), type="bind", read_only=not each.writable)
            for each in self._directories
        ]

    def collect(self, container: str) -> None:
        """Nothing to do: the output is here already."""

    def remove(self) -> None:
        """Nothing to do."""


class VolumePlacement:
    """Volumes filled and read through the archive API: the engine is on another machine, or we are in a container.

    Volumes rather than the container's own layer, so that the model is mounted read-only here as well. The compile
    cache travels both ways, like the output: its failed entries are purged on our side between attempts, and the engine
    of a CI job often dies with the job, while the caller's cache directory is what a CI keeps. An interrupted run
    brings nothing back.
    """

    def __init__(
        self, client: DockerClient, found: tuple[Directory, ...], image: str, user: str, *, keep: bool
    ) -> None:
        self._client = client
        self._directories = found
        self._image = image
        self._uid, self._gid = (int(part) for part in user.split(":"))
        self._labels = owner.labels(keep=keep)
        self._run = uuid.uuid4().hex[:12]

    def prepare(self) -> list[Mount]:
        """Create and fill the volumes; a container that is never started lends its mounts to the archive API."""
        for each in self._directories:
            self._client.api.create_volume(self._volume(each), labels=self._labels)
        loader = f"aot-{self._run}-load"
        try:
            self._client.api.create_container(
                self._image,
                entrypoint=["/never-started"],
                name=loader,
                labels=self._labels,
                host_config=self._client.api.create_host_config(mounts=self._mounts(loading=True), network_mode="none"),
            )
            self._client.api.put_archive(loader, "/", self._content())
        finally:
            with suppress(docker.errors.NotFound):
                self._client.api.remove_container(loader, force=True, v=True)
        return self._mounts(loading=False)

    def collect(self, container: str) -> None:
        """Copy output and cache back; works on a container that has ended."""
        for each in self._directories:
            if each.name in ("output", "cache"):
                chunks, _ = self._client.api.get_archive(container, each.inside)
                archive.extract(chunks, each.here, skip_links=each.name == "cache")

    def remove(self) -> None:
        """Remove the volumes."""
        for each in self._directories:
            with suppress(docker.errors.NotFound):
                self._client.api.remove_volume(self._volume(each))

    def _volume(self, each: Directory) -> str:
        return f"aot-{self._run}-{each.name}"

    def _mounts(self, *, loading: bool) -> list[Mount]:
        return [
            Mount(each.inside, self._volume(each), type="volume", read_only=not (loading or each.writable))
            for each in self._directories
        ]

    def _content(self) -> Iterator[bytes]:
        """Everything in one stream."""
        for each in self._directories:
            yield from archive.tree(each.here, each.inside, uid=self._uid, gid=self._gid, read_only=not each.writable)
        yield archive.end()


def shares_file_system(client: DockerClient, image: str, found: tuple[Directory, ...]) -> bool:
    """Ask the engine to mount our directories and look through its eyes for a file that we have just put there.

    The container is created but never started, which takes about 0.1 s. The model directory may not be writable, so
    it is only asked for; a path that is missing over there is refused by the engine.
    """
    witness = f".aot-witness-{uuid.uuid4().hex}"
    name = f"aot-{uuid.uuid4().hex[:12]}-probe"
    marked = [each for each in found if each.writable]
    try:
        for each in marked:
            (each.here / witness).touch()
        with speaking("looking whether the engine shares this file system"):
            return _witnessed(
                client, image, name, BindPlacement(found), [f"{each.inside}/{witness}" for each in marked]
            )
    finally:
        for each in marked:
            (each.here / witness).unlink(missing_ok=True)


def _witnessed(client: DockerClient, image: str, name: str, placement: BindPlacement, paths: list[str]) -> bool:
    config = client.api.create_host_config(mounts=placement.prepare(), network_mode="none")
    try:
        client.api.create_container(
            image, entrypoint=["/never-started"], name=name, labels=owner.labels(keep=False), host_config=config
        )
        for path in paths:
            b"".join(client.api.get_archive(container=name, path=path)[0])  # read to its end: frees the connection
    except docker.errors.NotFound:
        return False
    except docker.errors.APIError as error:
        if "bind" in str(error.explanation).lower() or "mount" in str(error.explanation).lower():
            return False
        raise
    else:
        return True
    finally:
        with suppress(docker.errors.NotFound):
            client.api.remove_container(name, force=True, v=True)
