"""How a run can fail, as the ``error.kind`` of ``result.json``."""

from __future__ import annotations

KINDS = ("refused", "patch-target-missing", "mismatch", "compile", "environment", "internal")


class RunnerError(Exception):
    """A failure whose kind is known where it is raised."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        if kind not in KINDS:
            raise ValueError(f"unknown failure kind {kind!r}")
        self.kind = kind


class Refused(RunnerError):  # noqa: N818 (it is an answer, not a fault)
    """The server would refuse this request too, or aot does not cover it yet."""

    def __init__(self, message: str) -> None:
        super().__init__("refused", message)


class PatchTargetMissing(RunnerError):  # noqa: N818 (named as its kind)
    """A patch was asked for whose target is absent or is not what the patch was written against."""

    def __init__(self, target: str, reason: str) -> None:
        super().__init__("patch-target-missing", f"{target}: {reason}")


class Stopped(BaseException):
    """SIGTERM arrived. Not an ``Exception``: upstream code that swallows those must not swallow this."""
