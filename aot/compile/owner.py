"""Labels that say which process a container or volume belongs to, and removal of what a dead one left behind."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import docker.errors

from aot import host
from aot.compile.docker_client import speaking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient

OWNED = "aot.owner.pid"
START = "aot.owner.start"
BOOT = "aot.owner.boot"
NAMESPACE = "aot.owner.pid-namespace"
MACHINE = "aot.owner.machine"
KEEP = "aot.keep"

AFTER_REBOOT = timedelta(hours=1)
"""A container of an earlier boot is left alone this long after it ended: the machine id may have been cloned, and the
container may be another machine's whose aot is still reading its output."""


def labels(*, keep: bool) -> dict[str, str]:
    """Labels for whatever this process creates."""
    me = host.identity()
    if me is None:  # no /proc: nothing could be told about this process later, so never reap
        return {OWNED: str(os.getpid()), KEEP: "true"}
    return {
        OWNED: str(me.pid),
        START: me.start,
        BOOT: me.boot,
        NAMESPACE: me.namespace,
        MACHINE: host.machine_id(),
        **({KEEP: "true"} if keep else {}),
    }


def owner_is_dead(found: Mapping[str, str]) -> bool:
    """Whether the owner certainly ran here, in this boot and PID namespace, and is gone.

    Anything less certain counts as alive: an engine may be shared by machines and by containers.
    """
    me = host.identity()
    if me is None or found.get(KEEP) or found.get(BOOT) != me.boot or found.get(NAMESPACE) != me.namespace:
        return False
    pid = found.get(OWNED, "")
    owner = host.identity(int(pid)) if pid.isdigit() else None
    return owner is None or owner.start != found.get(START)


def left_from_earlier_boot(found: Mapping[str, str], finished: datetime | None, now: datetime) -> bool:
    """Whether a stopped container was this machine's before it was restarted."""
    machine, me = host.machine_id(), host.identity()
    if not machine or me is None or found.get(KEEP) or finished is None:
        return False
    return found.get(MACHINE) == machine and found.get(BOOT) != me.boot and now - finished > AFTER_REBOOT


def reap(client: DockerClient) -> list[str]:
    """Remove containers, then volumes, whose owner is dead; returns a description of each."""
    removed = []
    with speaking("looking for containers of a killed aot"):
        for entry in client.api.containers(all=True, filters={"label": OWNED}):
            if owner_is_dead(entry["Labels"]) or _stopped_before_boot(client, entry):
                removed += _remove_container(client, entry)
        for volume in client.api.volumes(filters={"label": OWNED})["Volumes"] or []:
            if owner_is_dead(volume["Labels"]) and _remove_volume(client, volume["Name"]):
                removed.append(f"volume {volume['Name']}")
    return removed


def _stopped_before_boot(client: DockerClient, entry: dict[str, Any]) -> bool:
    if entry["State"] != "exited":
        return False
    try:
        state = client.api.inspect_container(entry["Id"])["State"]
    except docker.errors.NotFound:
        return False
    return left_from_earlier_boot(entry["Labels"], parse_time(state["FinishedAt"]), datetime.now(UTC))


def parse_time(text: str) -> datetime | None:
    """A time as Go prints it, nanoseconds cut off; None for Go's zero time or anything unreadable."""
    try:
        parsed = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return parsed if parsed.year > 1 else None


def _remove_container(client: DockerClient, entry: dict[str, Any]) -> list[str]:
    try:
        client.api.remove_container(entry["Id"], force=True, v=True)
    except docker.errors.APIError as error:
        if error.status_code in (404, 409):  # gone, or being removed by another aot at this moment
            return []
        raise
    return [f"container {entry['Names'][0].lstrip('/')} ({entry['State']})"]


def _remove_volume(client: DockerClient, name: str) -> bool:
    try:
        client.api.remove_volume(name)
    except docker.errors.APIError as error:
        if error.status_code in (404, 409):  # gone, or in use by a container that someone kept
            return False
        raise
    return True
