"""Reaching a Docker engine, and saying in plain words why it cannot be reached."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import requests.exceptions

from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = 120
"""Seconds without an answer to one request; creating a container from a cold disk takes tens of them."""


NO_ANSWER = (LookupError, TypeError, AttributeError)
"""What the SDK raises over JSON that no Docker engine would send: another service listens at the address."""


def connect() -> docker.DockerClient:
    """A client for DOCKER_HOST or the current docker context, speaking the engine's own API version."""
    try:
        # Named so that nothing is sent before _direct; every engine answers /version whatever the path's version.
        first = _direct(docker.DockerClient.from_env(timeout=TIMEOUT, version="1.24"))
        version = str(first.api.version(api_version=False)["ApiVersion"])
        first.close()
        return _direct(docker.DockerClient.from_env(timeout=TIMEOUT, version=version))
    except NO_ANSWER as error:
        raise _not_docker(error) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError, ValueError) as error:
        raise unavailable(str(error)) from error


def _direct(client: docker.DockerClient) -> docker.DockerClient:
    """Keep ``requests`` from applying the environment's settings for the web to the engine's address.

    REQUESTS_CA_BUNDLE would replace the engine's own CA (github.com/psf/requests/issues/3829), http_proxy would send
    a tcp:// address through a proxy.
    """
    client.api.trust_env = False
    return client


def unavailable(words: str) -> AotError:
    """The error for an engine that does not answer, with the remedy that its words call for."""
    where = os.environ.get("DOCKER_HOST") or "the default address"
    if "paramiko" in words:
        reason = f"the Docker engine at {where} is to be reached over ssh, which the Docker SDK leaves to paramiko"
        remedy = (
            "pip install 'docker[ssh]', or forward the socket: ssh -N -L /tmp/docker.sock:/var/run/docker.sock HOST"
        )
    elif "PermissionError" in words or "permission denied" in words.lower():
        reason = f"the Docker engine at {where} may not be used by this account (permission denied)"
        remedy = "add the account to the group that owns the socket (usually: docker), or use a rootless engine"
    elif "FileNotFoundError" in words or "No such file" in words:
        reason = f"no Docker engine listens at {where}"
        remedy = "install Docker and start it, or set DOCKER_HOST; with --simulate, --engine local needs no Docker"
    elif "refused" in words.lower():
        reason = f"the Docker engine at {where} is not running (connection refused)"
        remedy = "start it, or set DOCKER_HOST; with --simulate, --engine local needs no Docker"
    else:
        reason = f"the Docker engine at {where} does not answer: {words}"
        remedy = "check DOCKER_HOST and the docker context (docker context ls); 'docker version' should work first"
    return AotError(ErrorId.ENGINE_UNAVAILABLE, reason=reason, remedy=remedy)


def _not_docker(error: Exception) -> AotError:
    where = os.environ.get("DOCKER_HOST") or "the default address"
    return AotError(
        ErrorId.ENGINE_UNAVAILABLE,
        reason=f"what answers at {where} does not speak like a Docker engine ({type(error).__name__}: {error})",
        remedy="check DOCKER_HOST and the docker context (docker context ls); 'docker version' should work first",
    )


def _is_of_the_sdk(error: Exception) -> bool:
    """Whether the SDK's own code raised it, rather than ours called inside."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    name = frame.tb_frame.f_globals.get("__name__", "") if frame is not None else ""
    return str(name).partition(".")[0] == docker.__name__


@contextmanager
def speaking(doing: str) -> Iterator[None]:
    """Turn every failure of the SDK inside into an ``AotError``; ``doing`` completes "Docker failed while ..."."""
    try:
        yield
    except requests.exceptions.ConnectionError as error:
        raise unavailable(f"connection lost while {doing}: {error}") from error
    except NO_ANSWER as error:
        if not _is_of_the_sdk(error):
            raise
        raise _not_docker(error) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        words = explanation(error)
        if "no space left on device" in words.lower():
            raise AotError(
                ErrorId.DISK_FULL,
                reason=f"the Docker engine's disk is full ({doing})",
                remedy="free space there: 'docker system df' shows what takes it, 'docker system prune' removes it",
            ) from error
        raise AotError(
            ErrorId.ENGINE_FAILED,
            reason=f"the Docker engine failed while {doing}: {words}",
            remedy="see the engine's log; 'aot doctor' checks the usual causes",
        ) from error


def explanation(error: BaseException) -> str:
    """The engine's own sentence in an SDK exception."""
    return str(getattr(error, "explanation", None) or error)


def is_this_machine(info: dict[str, Any]) -> bool:
    """Whether figures that we read here (free disk, free memory) are also the engine's.

    By host name: an engine reached from inside a container, or over the network, reports another one.
    """
    return bool(info.get("Name") == socket.gethostname())


def container_user(info: dict[str, Any]) -> str:
    """``uid:gid`` to run as, such that output on a shared file system belongs to the caller.

    The AWS image would run as root. Its packages are world-readable, so any user can run them; under a rootless engine
    it is root inside who is the caller outside.
    """
    if "name=rootless" in security_options(info):
        return "0:0"
    return f"{os.getuid()}:{os.getgid()}"


def remaps_users(info: dict[str, Any]) -> bool:
    """Whether the engine shifts user ids (userns-remap): nobody inside is then the caller, so mounts are useless."""
    return "name=userns" in security_options(info)


def security_options(info: dict[str, Any]) -> list[str]:
    """Names of the engine's security options, like ``name=rootless``."""
    return [str(option).split(",")[0] for option in info.get("SecurityOptions") or []]
