"""One run of the runner that compiles nothing (``fingerprint``, ``capture``): no remedies, no second attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aot.compile.result import read_result
from aot.compile.verdict import judge
from aot.compile.watch import Watcher
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from aot.compile.engine import Engine, Job
    from aot.compile.result import RunnerResult
    from aot.progress import Progress

TAIL_IN_ERROR = 20


def run(engine: Engine, job: Job, title: str, progress: Progress) -> RunnerResult:
    """Run the job and return its result.

    Raises what the verdict on a compile would end with: ``REFUSED_BY_SERVER``, ``RUNNER_FAILED``, ``RUNNER_DIED``,
    a time limit, no memory, no disk.
    """
    watcher = Watcher(progress)
    with progress.group(title):
        ended = engine.run(job, watcher)
    result = read_result(job.output_dir)
    verdict = judge(ended, result, [], watcher.failures())
    if verdict.ok and result is not None:
        return result
    facts = {"log_tail": list(watcher.tail(TAIL_IN_ERROR))}
    if verdict.ending is not None:
        raise AotError(verdict.ending.error_id, reason=verdict.ending.reason, remedy=verdict.ending.remedy, facts=facts)
    raise AotError(
        ErrorId.RUNNER_FAILED,
        reason=verdict.message,
        remedy="check that the image is the toolchain's own, unchanged; the last lines of the log may say more",
        facts=facts,
    )
