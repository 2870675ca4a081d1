"""Facts about the machine that aot itself runs on, read from /proc and statvfs."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

LARGER_DISK = "free some space there, or choose a larger disk: --store for a build, TMPDIR for what only asks the image"
"""Advice where scratch files lie: in the store's staging directory; of commands without a store, in a temporary one."""


@dataclass(frozen=True)
class Memory:
    """Bytes of physical memory."""

    total: int
    available: int


def memory(meminfo: Path = Path("/proc/meminfo")) -> Memory | None:
    """Physical memory, or None where the kernel does not say (not Linux)."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    return Memory(total=kib["MemTotal"] * 1024, available=kib.get("MemAvailable", kib["MemFree"]) * 1024)


def disk_free(path: Path) -> int | None:
    """Bytes an unprivileged user may still write under ``path`` or, until it exists, its nearest ancestor."""
    for candidate in (path, *path.parents):
        try:
            return shutil.disk_usage(candidate).free
        except FileNotFoundError:
            continue
        except OSError:  # not ours to look into
            return None
    return None


def machine() -> str:
    """Architecture in Docker's words: ``amd64``, ``arm64`` ..."""
    return docker_architecture(platform.machine())


def docker_architecture(name: str) -> str:
    """The kernel's name for an architecture turned into Docker's."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(name.lower(), name.lower())


@dataclass(frozen=True)
class ProcessIdentity:
    """A process that can be told from a later one with the same number.

    Process numbers are reused, start again after a reboot, and mean nothing in another PID namespace: two containers
    that drive one engine both run their ``aot`` as, say, process 7.
    """

    pid: int
    start: str
    boot: str
    namespace: str


def identity(pid: int | None = None) -> ProcessIdentity | None:
    """Identity of a process (default: this one), or None when there is no such process (a zombie counts as none)."""
    pid = os.getpid() if pid is None else pid
    try:
        # proc(5): the command in parentheses may hold spaces and parentheses; field 3 is the state, field 22 the start.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    return ProcessIdentity(pid=pid, start=fields[19].decode(), boot=boot, namespace=namespace)


def machine_id(path: Path = Path("/etc/machine-id")) -> str:
    """The installation's id, or "" where there is none (most containers)."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def kernel_oom_kills(vmstat: Path = Path("/proc/vmstat")) -> int | None:
    """How many processes the kernel has killed for want of memory since boot (``oom_kill``, Linux 4.13)."""
    try:
        lines = vmstat.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
