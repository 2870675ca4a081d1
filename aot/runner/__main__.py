"""``python -m aot_runner JOB/job.json``: keep stdout for events before anything can print, then run the job."""

import os
import sys

# Compiler, vLLM and torch print to file descriptor 1 at import and from child processes. The real stdout is kept for
# events (a duplicate, which children do not inherit); descriptor 1 itself becomes stderr, here and in every child.
_EVENTS = os.dup(1)
os.dup2(2, 1)

from .main import main  # noqa: E402 (after the redirection on purpose)

if __name__ == "__main__":
    status = main(sys.argv, _EVENTS)
    sys.stderr.flush()
    if status:
        # NxD's pool still holds queued graphs; leaving the usual way would compile every one of them first.
        os._exit(status)
    sys.exit(status)
