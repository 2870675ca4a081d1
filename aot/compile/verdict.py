"""How one run of the runner ended: what its exit, its result and its log say together. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aot import host
from aot.compile.known_errors import GENERIC, find, recognise
from aot.compile.log import read_failures
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aot.compile.engine import Exit
    from aot.compile.failure import FailedModule
    from aot.compile.result import RunnerError, RunnerResult

OUT_OF_MEMORY = "HOST-OUT-OF-MEMORY"
DISK_FULL = "DISK_FULL"


@dataclass(frozen=True)
class Ending:
    """Why trying again is pointless, in the terms of an ``AotError``."""

    error_id: ErrorId
    reason: str
    remedy: str


@dataclass(frozen=True)
class Verdict:
    """``ending`` None means that a remedy may help.

    ``errors`` are catalogue ids worth a remedy, in order; ``failure`` the failure they belong to.
    """

    ok: bool
    message: str = ""
    failures: tuple[FailedModule, ...] = ()
    failure: FailedModule | None = None
    errors: tuple[str, ...] = ()
    ending: Ending | None = None

    @property
    def error(self) -> str | None:
        """The catalogue's id of what happened, if it is known."""
        return self.failure.error if self.failure else None


def judge(
    ended: Exit, result: RunnerResult | None, missing: Sequence[str], failures: Sequence[FailedModule]
) -> Verdict:
    """Put exit, result and log together; ``missing`` are artifact files a successful result should have left."""
    if result is not None and result.outcome != "failed" and ended.status == 0 and not missing:
        return Verdict(ok=True)
    if result is not None and result.error is not None and not failures:
        failures = read_failures([line.encode() for line in result.error.message.splitlines()])
    found = tuple(sorted(failures, key=_order))
    ending = _ending(ended, result, missing, found)
    return _failed(found, ending, ending.reason if ending else _message(found, result))


def unreadable(problem: AotError, failures: Sequence[FailedModule]) -> Verdict:
    """An attempt whose files cannot be trusted: over, whatever the log says."""
    return _failed(tuple(failures), Ending(problem.error_id, problem.reason, problem.remedy), problem.reason)


def _failed(found: tuple[FailedModule, ...], ending: Ending | None, message: str) -> Verdict:
    return Verdict(
        ok=False,
        message=message,
        failures=found,
        failure=found[0] if found else None,
        errors=_errors(found),
        ending=ending,
    )


def _order(failed: FailedModule) -> int:
    entry = find(failed.error) if failed.error else None
    return entry.order if entry else GENERIC - 1


def _errors(failures: Sequence[FailedModule]) -> tuple[str, ...]:
    """Ids worth a remedy: what each failure is, and what else it is unless that explains nothing by itself."""
    ids: dict[str, None] = {failed.error: None for failed in failures if failed.error}
    for failed in failures:
        for other in failed.also:
            entry = find(other)
            if entry is not None and entry.order < GENERIC:
                ids[other] = None
    return tuple(ids)


def _message(found: Sequence[FailedModule], result: RunnerResult | None) -> str:
    if found:
        main = found[0]
        what = " ".join(part for part in (main.code or main.error, main.message) if part)
        return f"the compile failed on {main.where}: {what or 'the log does not say why'}"
    if result is not None and result.error is not None:
        return f"{result.error.type}: {result.error.message}"
    return "the compile ended without saying why"


def _ending(
    ended: Exit, result: RunnerResult | None, missing: Sequence[str], found: Sequence[FailedModule]
) -> Ending | None:
    main = found[0] if found else None
    if ended.timed_out:
        return Ending(
            ErrorId.COMPILE_TIMEOUT,
            f"the compile was stopped after {ended.seconds:.0f} s, its time limit",
            "give it more time (--timeout) or more compilers at once (--jobs); what was compiled stays in the cache",
        )
    if ended.out_of_memory or (main is not None and main.error == OUT_OF_MEMORY):
        return Ending(
            ErrorId.COMPILE_OUT_OF_MEMORY,
            ended.detail or "the compile ran out of memory and was killed by the kernel",
            "use a larger host or memory limit, or fewer compilers at once (--jobs 1)",
        )
    if main is not None and main.error == DISK_FULL:
        remedy = f"{host.LARGER_DISK}; on another machine's engine, 'docker system df' shows what takes the room"
        return Ending(ErrorId.DISK_FULL, f"the disk is full: {main.message}", remedy)
    if result is None:
        return Ending(
            ErrorId.RUNNER_DIED,
            f"the runner ended without a result ({_exit_class(ended)})",
            "the last lines of its log may explain it; if they do not, report it with them",
        )
    if result.error is not None:
        return _ending_of_error(result.error, main, simulated=result.simulated)
    if result.outcome == "failed":
        return None
    why = f"left no {' and no '.join(missing)}" if missing else f"ended with {_exit_class(ended)}"
    return Ending(
        ErrorId.RUNNER_DIED,
        f"the runner reported success but {why}",
        "build again; if it happens again, report it with the log",
    )


SIMULATOR_GAP = "the simulator does not know"
"""How ``images/simulator`` begins to say that something lies outside its small world (``DoesNotKnow``)."""


def _refused_by_simulator(error: RunnerError) -> Ending:
    """Never the server's own word: the simulator refuses what it infers the server would, and what it does not know."""
    if SIMULATOR_GAP in error.message:
        return Ending(
            ErrorId.NOT_COVERED,
            f"the simulator cannot play this request: {error.message}",
            "simulate another model or other options, or run the real image (without --simulate)",
        )
    return Ending(
        ErrorId.REFUSED_BY_SERVER,
        f"the simulator refuses this request, as it takes the server to do: {error.type}: {error.message}",
        "change the serve option it names; the real image decides (without --simulate)",
    )


def _ending_of_error(error: RunnerError, main: FailedModule | None, *, simulated: bool) -> Ending | None:
    text = f"{error.type}: {error.message}"
    match error.kind:
        case "refused" if simulated:
            return _refused_by_simulator(error)
        case "refused":
            return Ending(
                ErrorId.REFUSED_BY_SERVER,
                f"the server's own code refuses this request: {text}",
                "change the serve option it names; vllm serve would have refused it in the pod",
            )
        case "patch-target-missing":
            return Ending(
                ErrorId.PATCH_TARGET_MISSING,
                f"a patch does not fit this image: {text}",
                "build with --remedies off, or use a toolchain that the patch was written for",
            )
        case "compile":
            return None
        case _:
            return Ending(ErrorId.RUNNER_FAILED, f"the compile could not begin: {text}", _advice(main))


def _advice(main: FailedModule | None) -> str:
    known = recognise(main) if main is not None else None
    if known is not None:
        return known.workaround
    return "check that the image is the toolchain's own, unchanged; the last lines of the log may say more"


def _exit_class(ended: Exit) -> str:
    return f"killed by {ended.signal}" if ended.signal else f"exit status {ended.status}"
