"""Engine ``docker``: the one class that runs an image."""

from __future__ import annotations

import uuid
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import docker.errors
import requests.exceptions
from docker.types import LogConfig

from aot import host, units
from aot.compile import images, owner
from aot.compile.docker_client import (
    connect,
    container_user,
    explanation,
    is_this_machine,
    remaps_users,
    speaking,
)
from aot.compile.engine import Exit, attempt_dir, exit_of, plain_model_dir, prepare
from aot.compile.placement import (
    INSIDE,
    BindPlacement,
    VolumePlacement,
    directories,
    shares_file_system,
)
from aot.compile.stream import Clock, attach, deliver
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.types import Mount

    from aot.compile.engine import Job, LineSink, Needs
    from aot.compile.placement import Directory, Placement
    from aot.progress import Progress

Transfer = Literal["auto", "mount", "archive"]

LOG_OPTIONS = {"max-size": "20m", "max-file": "2"}
"""The engine's own copy of the output, for 'docker logs' on a kept container: a compile can print for an hour."""

END_SECONDS = 10
"""How long a container may take to be over after its output has ended."""

KILLED = 137
"""128 + SIGKILL."""


class ContainerEngine:
    """Runs jobs in containers of a Docker engine, near or far.

    ``transfer`` says how directories get in and out: ``mount`` binds them, ``archive`` copies them, ``auto`` finds out.
    Nothing is connected until the first call that needs it.
    """

    name = "docker"

    def __init__(self, progress: Progress, *, transfer: Transfer = "auto", runner: Path | None = None) -> None:
        self._progress = progress
        self._transfer = transfer
        self._runner = runner
        self._shared: dict[tuple[Path, ...], bool] = {}
        self._current: str | None = None
        self._kept = False
        self._stopped = False

    @cached_property
    def _client(self) -> DockerClient:
        return connect()

    @cached_property
    def _info(self) -> dict[str, Any]:
        with speaking("asking for its facts"):
            return dict(self._client.api.info())

    def preflight(self, needs: Needs) -> None:
        """Check engine, architecture, memory and disk before anything is downloaded."""
        architecture = host.docker_architecture(str(self._info.get("Architecture", "")))
        if needs.amd64 and architecture != "amd64":
            raise AotError(
                ErrorId.HOST_ARCHITECTURE,
                reason=f"the Docker engine runs on {architecture}; the Neuron compiler exists for amd64 only",
                remedy="use an amd64 machine, or point DOCKER_HOST at one",
            )
        self._check_memory(needs.memory_bytes)
        self._check_disk(needs.scratch_dir, needs.scratch_bytes, host.LARGER_DISK)
        if is_this_machine(self._info) and not (needs.image and images.inspect(self._client, needs.image)):
            root = Path(str(self._info.get("DockerRootDir", "/var/lib/docker")))
            self._check_disk(root, needs.image_bytes, "free some space: 'docker system prune' removes what is unused")

    def run(self, job: Job, sink: LineSink) -> Exit:
        """Run to the end; an exception, an interrupt included, stops and removes the container (unless ``keep``)."""
        if job.image is None:
            raise ValueError("engine docker needs an image")
        image = images.ensure(self._client, job.image, self._progress)
        directory = attempt_dir(job)
        prepare(job, directory / "job", INSIDE, runner=self._runner)
        found = directories(job, directory, plain_model_dir(job, directory))
        placement = self._placement(job, found)
        name = f"aot-{uuid.uuid4().hex[:12]}"
        # Known before the engine is asked to create it: an interrupt during that call must find it all the same.
        self._current, self._kept, self._stopped = name, job.keep, False
        try:
            with speaking("handing over the job's files"):
                mounts = placement.prepare()
            self._create(name, job, image, mounts)
            ended = self._follow(name, job, sink)
            with speaking("reading the output back"):
                placement.collect(name)
            return ended
        finally:
            self._dispose(name, placement)

    def stop(self) -> None:
        """Kill the running container; ``run`` then returns, and removes it."""
        self._stopped = True
        name = self._current
        if name is not None:
            try:
                self._client.api.kill(name)
            except (docker.errors.APIError, requests.exceptions.RequestException):
                return  # not running any more, or the engine is gone: nothing is left to stop

    def reap(self) -> list[str]:
        """Remove containers and volumes whose aot was killed on this machine; never those of a living one."""
        return owner.reap(self._client)

    def image_digest(self, reference: str, *, registry_first: bool = False) -> str | None:
        """``sha256:...``, from the engine's own images first unless told otherwise."""
        return images.digest(self._client, reference, registry_first=registry_first)

    def _check_memory(self, needed: int) -> None:
        total = int(self._info.get("MemTotal", 0))
        if total and total < needed:
            raise AotError(
                ErrorId.HOST_TOO_SMALL,
                reason=f"the engine's machine has {units.size(total)} of memory, "
                f"the compile needs {units.size(needed)}",
                remedy="use a larger machine, or compile fewer graphs at once with --jobs 1",
            )
        here = host.memory() if is_this_machine(self._info) else None
        if here is not None and here.available < needed:
            self._progress.warn(
                f"only {units.size(here.available)} of memory are free now, the compile may need {units.size(needed)}"
            )

    def _check_disk(self, path: Path, needed: int, remedy: str) -> None:
        free = host.disk_free(path)
        if free is not None and free < needed:
            raise AotError(
                ErrorId.HOST_TOO_SMALL,
                reason=f"{path} has {units.size(free)} free, the build needs {units.size(needed)}",
                remedy=remedy,
            )

    def _placement(self, job: Job, found: tuple[Directory, ...]) -> Placement:
        image = str(job.image)
        if self._transfer == "mount" or (self._transfer == "auto" and self._shares(image, found)):
            return BindPlacement(found)
        return VolumePlacement(self._client, found, image, container_user(self._info), keep=job.keep)

    def _shares(self, image: str, found: tuple[Directory, ...]) -> bool:
        if remaps_users(self._info):
            return False
        key = tuple(each.here.parent if each.name in ("job", "work") else each.here for each in found)
        if key not in self._shared:
            self._shared[key] = shares_file_system(self._client, image, found)
            if not self._shared[key]:
                self._progress.info("the Docker engine does not share this file system: files are copied in and out")
        return self._shared[key]

    def _create(self, name: str, job: Job, image: dict[str, Any], mounts: list[Mount]) -> None:
        api = self._client.api
        config = api.create_host_config(
            mounts=mounts,
            network_mode="none",
            mem_limit=job.memory_bytes,
            memswap_limit=job.memory_bytes,  # the same figure: no swap, or a compile would crawl instead of failing
            init=True,  # reaps zombies and passes signals on; as process 1 Python would ignore them
            cap_drop=["ALL"],
            # Root is root only where the caller is: let it read a model directory of another user, as it can here.
            cap_add=["DAC_OVERRIDE"],
            security_opt=["no-new-privileges", "label=disable"],  # SELinux would deny the bind mounts
            log_config=LogConfig(type="json-file", config=LOG_OPTIONS),
        )
        with speaking("creating the container"):
            api.create_container(
                str(job.image),
                name=name,
                entrypoint=[job.python, "-m", "aot_runner", f"{INSIDE.job}/job.json"],
                command=[],
                user=container_user(self._info),
                working_dir=INSIDE.work,
                environment=_environment(job, image),
                labels=owner.labels(keep=job.keep),
                host_config=config,
                use_config_proxy=False,  # proxy settings can hold a password, and the compile has no network
            )

    def _follow(self, name: str, job: Job, sink: LineSink) -> Exit:
        """Start the container and stream it to its end."""
        with speaking("running the container"):
            reader = attach(self._client, name)  # before the start, so that not a line is missed
            clock = Clock(sink, job.timeout_seconds)
            self._client.api.start(name)
            timed_out = deliver(reader, sink, clock)
            while not timed_out and not self._has_ended(name):
                sink.stderr(b"aot: the engine's output stream broke off; some lines may be missing here")
                timed_out = deliver(attach(self._client, name), sink, clock)
            if timed_out:
                timed_out = self._kill(name)
                self._has_ended(name)
            return self._exit(name, clock.elapsed(), job, timed_out=timed_out)

    def _kill(self, name: str) -> bool:
        """False when the container ended by itself just before: the engine then answers 409, or 404 if it is gone."""
        try:
            self._client.api.kill(name)
        except docker.errors.APIError as error:
            if error.status_code not in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
                raise
            return False
        return True

    def _has_ended(self, name: str) -> bool:
        try:
            self._client.api.wait(name, timeout=END_SECONDS)
        except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
            # Newer urllib3 reports a read timeout as a connection error; a lost engine shows at the next request.
            return False
        return True

    def _exit(self, name: str, seconds: float, job: Job, *, timed_out: bool) -> Exit:
        state = self._client.api.inspect_container(name)["State"]
        ended = exit_of(int(state["ExitCode"]), seconds, timed_out=timed_out)
        if timed_out or self._stopped or ended.status == 0:
            return ended
        if state.get("OOMKilled"):
            limit = f" of {units.size(job.memory_bytes)}" if job.memory_bytes else ""
            detail = f"the kernel killed it for going over the container's memory limit{limit}"
        elif ended.status == KILLED:
            detail = "it was killed (exit 137), probably because the engine's machine ran out of memory"
        else:
            return ended
        return Exit(ended.status, ended.signal, out_of_memory=True, seconds=seconds, detail=detail)

    def _dispose(self, name: str, placement: Placement) -> None:
        """End the container and, unless it is to be kept, remove it and its volumes.

        Runs while other exceptions are on their way: it warns instead of raising. What is left is reaped next time.
        """
        self._current = None
        try:
            if self._kept:
                self._stop_kept(name)
            else:
                self._remove(name)
                placement.remove()
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            self._progress.warn(f"container {name} could not be removed ({explanation(error)}); the next aot will try")

    def _remove(self, name: str) -> None:
        try:
            self._client.api.remove_container(name, force=True, v=True)
        except docker.errors.NotFound:
            return  # the interrupt came before it was created

    def _stop_kept(self, name: str) -> None:
        try:
            self._client.api.stop(name, timeout=1)
        except docker.errors.NotFound:
            return
        self._progress.info(f"kept container {name}: 'docker logs {name}', then 'docker rm -v {name}'")


def _environment(job: Job, image: dict[str, Any]) -> dict[str, str]:
    """All that the runner's environment holds besides the image's own variables."""
    own = dict(entry.partition("=")[::2] for entry in (image["Config"] or {}).get("Env") or [])
    python_path = [INSIDE.job, own["PYTHONPATH"]] if own.get("PYTHONPATH") else [INSIDE.job]
    return {
        **job.environment,
        "HOME": INSIDE.work,
        # The image's /etc/passwd does not know the caller: getpass.getuser, which torch calls, needs a name.
        "USER": "aot",
        "LOGNAME": "aot",
        "PYTHONPATH": ":".join(python_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
