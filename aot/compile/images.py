"""Images of a Docker engine: present or pulled, and by which digest they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import docker.errors

from aot import resources
from aot.compile import simulator_image
from aot.compile.docker_client import explanation, speaking
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from docker import DockerClient

    from aot.progress import Progress


def split(reference: str) -> tuple[str, str]:
    """Repository and tag or digest; a digest makes a tag beside it irrelevant. No tag means ``latest``."""
    name, _, digest = reference.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:  # that colon belonged to a port
        repository, tag = name, "latest"
    return repository, digest or tag


def canonical(reference: str) -> str:
    """The reference without a tag that a digest overrides."""
    repository, version = split(reference)
    return f"{repository}@{version}" if version.startswith("sha256:") else f"{repository}:{version}"


def ensure(client: DockerClient, reference: str, progress: Progress) -> dict[str, Any]:
    """The image's inspection, after pulling it when the engine does not have it."""
    found = inspect(client, reference)
    if found is not None:
        return found
    progress.info(f"pulling {reference}")
    with speaking(f"pulling {reference}"):
        _pull(client, reference, progress)
    found = inspect(client, reference)
    if found is None:
        raise missing(reference, "the pull ended without it")
    return found


def inspect(client: DockerClient, reference: str) -> dict[str, Any] | None:
    """What the engine knows about an image it has, else None."""
    with speaking(f"looking for image {reference}"):
        try:
            api: Any = client.api  # the SDK is only partly typed
            return dict(api.inspect_image(canonical(reference)))
        except docker.errors.NotFound:
            return None


def missing(reference: str, words: str) -> AotError:
    """The error for an image that can be had neither here nor there."""
    if split(reference)[0] == simulator_image.REPOSITORY:
        build = f"docker build --build-arg BASE=python:3.12-slim -t {reference} {resources.simulator()}"
        remedy = f"build it ({build}; in a checkout: make simulator-image), or use --engine local, which needs no image"
    else:
        remedy = "check the name, log in to its registry ('docker login'), and try 'docker pull' by hand"
    return AotError(
        ErrorId.IMAGE_MISSING,
        reason=f"the engine has no image {reference} and could not pull it: {words}",
        remedy=remedy,
    )


def _pull(client: DockerClient, reference: str, progress: Progress) -> None:
    repository, version = split(reference)
    try:
        follow_pull(client.api.pull(repository, tag=version, stream=True, decode=True), reference, progress)
    except docker.errors.APIError as error:
        if "no space left" in explanation(error):
            raise
        raise missing(reference, explanation(error)) from error


def follow_pull(events: Iterable[dict[str, Any]], reference: str, progress: Progress) -> None:
    """Show a pull's progress in megabytes; an error comes as the last event, after status 200."""
    layers: dict[str, tuple[int, int]] = {}
    for event in events:
        if "error" in event:
            raise docker.errors.APIError(event["error"], explanation=event["error"])
        detail = event.get("progressDetail") or {}
        if event.get("status") == "Downloading" and detail.get("total"):
            layers[event["id"]] = (detail["current"], detail["total"])
            done, total = (sum(column) / 1e6 for column in zip(*layers.values(), strict=True))
            progress.heartbeat(f"pulling {reference}: {done:.0f} of {total:.0f} MB known so far")


def digest(client: DockerClient, reference: str, *, registry_first: bool = False) -> str | None:
    """``sha256:...`` of an image, or None when nobody knows it.

    The repository digest when there is one. An image that was built here has none: then its id, which is the hash of
    its configuration and so names its content just as well, on this engine.
    """
    lookups = [_local_digest, _registry_digest]
    for lookup in reversed(lookups) if registry_first else lookups:
        found = lookup(client, reference)
        if found:
            return found
    return None


def _local_digest(client: DockerClient, reference: str) -> str | None:
    found = inspect(client, reference)
    if found is None:
        return None
    known = [entry.partition("@") for entry in found.get("RepoDigests") or []]
    repository = split(reference)[0]
    exact = [value for name, _, value in known if name == repository]
    # The engine shortens names of its default registry; any repository digest is better than the id.
    return next(iter(exact or [value for _, _, value in known]), None) or str(found["Id"])


def _registry_digest(client: DockerClient, reference: str) -> str | None:
    api: Any = client.api  # the SDK is only partly typed
    with speaking(f"asking the registry of {reference}"):
        try:
            return str(api.inspect_distribution(canonical(reference))["Descriptor"]["digest"])
        except docker.errors.APIError:  # unknown there, or not ours to read: the engine does not tell which
            return None
