"""Run a command so that its whole process tree ends when the command or our own parent does. Linux only.

Started as a script by ``local.LocalEngine``: ``python -I -S supervise.py PARENT_PID COMMAND...``. It exists because
PR_SET_PDEATHSIG reaches one process, not the compilers that it started, and because setting it in a ``preexec_fn`` is
unsafe in a program with threads (docs.python.org/3/library/subprocess.html#subprocess.Popen). Exits as COMMAND did,
by the same signal if it was one. Imports nothing but the standard library, and little of it: it delays every start.
"""

import ctypes
import os
import resource
import signal
import sys
import time

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    """prctl(2), raising OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def children_by_parent() -> dict[int, list[int]]:
    """Live processes by parent, from one pass over /proc; zombies are left out."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs 10 ms of start-up
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                fields = file.read().rpartition(b")")[2].split()
        except OSError:  # it has just ended
            continue
        if fields[0] != b"Z":
            found.setdefault(int(fields[1]), []).append(int(name))
    return found


def kill_descendants() -> None:
    """SIGKILL every descendant, again until none is left: they may fork meanwhile.

    As a subreaper we inherit orphans, so a descendant that changed its session is found as well.
    """
    while True:
        table = children_by_parent()
        pending, victims = [os.getpid()], []
        while pending:
            below = table.get(pending.pop(), [])
            victims += below
            pending += below
        if not victims:
            return
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.01)


def die_like(status: int) -> int:
    """Our exit status, or our death, for a wait status of the command."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has dumped its core already, if it was to
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 128 - code


def stop(signum: int, _frame: object) -> None:
    """Our parent is gone or wants an end: no child may outlive this."""
    kill_descendants()
    os._exit(128 + signum)


def main(arguments: list[str]) -> int:
    """Start the command, wait for it, leave nothing behind."""
    parent, command = int(arguments[0]), arguments[1:]
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is our parent's to handle
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before prctl took effect
        return 128 + signal.SIGTERM
    child = os.posix_spawn(command[0], command, os.environ, setsigdef=[signal.SIGTERM, signal.SIGINT])
    while True:
        pid, status = os.wait()  # orphans that we inherit are collected here too
        if pid == child:
            break
    kill_descendants()
    return die_like(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
