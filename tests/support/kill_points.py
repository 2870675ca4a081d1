"""Kill a process with SIGKILL at its n-th step that touches a directory.

A step is what Python's audit hooks report about files: open, rename, mkdir, remove, rmdir, chmod, truncate. The process
dies before the step is taken, so going through all n is going through every state that a kill can leave behind between
two steps. Must be used in a forked child that does nothing else.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "shutil.rmtree"}
FINISHED = 99


def run_until(step: int, directory: str, work: Callable[[], object]) -> bool:
    """Fork, run ``work`` and kill it before its ``step``-th step below ``directory``; False when it finished first."""
    child = os.fork()
    if child == 0:
        taken = 0

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal taken
            if event in _STEPS and any(directory in str(argument) for argument in arguments[:2]):
                taken += 1
                if taken == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work()
        os._exit(FINISHED)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == FINISHED:
        return False
    raise RuntimeError(f"the child failed by itself: {status}")
