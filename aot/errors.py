"""Every failure that aot expects: a unique id, a reason, a remedy, and an exit code per class.

Raise ``AotError(ErrorId.X, reason=..., remedy=...)`` where the failure is noticed; only the command line turns it into
text, JSON and an exit code. Anything else that escapes is a defect of ours and keeps its traceback (exit code 70).
"""

from __future__ import annotations

import enum
from typing import Any


@enum.unique
class ErrorClass(enum.Enum):
    """What kind of thing went wrong: exit code and, for the README's table, when it is used."""

    USAGE = (2, "the command line, a file given to it or an environment variable is malformed")
    REFUSED = (3, "the server itself would refuse this request, or aot does not cover it yet")
    MODEL = (4, "the model cannot be read: missing, gated, no config.json, offline")
    TOOLCHAIN = (5, "the toolchain is unknown, does not support the target, or its locked digest moved")
    ENGINE = (6, "the container engine is missing, unreachable, or the host is too small")
    COMPILE = (7, "the compiler failed and no remedy helped")
    MISMATCH = (8, "the fingerprint found in the container differs from the predicted one")
    EOS = (9, "generation could not be proven to stop")
    STORE = (10, "an artifact or a store is missing, damaged, or cannot be written")
    POLICY = (11, "refused on purpose: a simulated artifact, a tag where a digest is required")
    NETWORK = (12, "a hub or registry did not answer")
    NOT_READY = (13, "aot doctor found something that a build would trip over")

    def __init__(self, exit_code: int, meaning: str) -> None:
        self.exit_code = exit_code
        self.meaning = meaning


EXIT_OK = 0
EXIT_INTERNAL = 70  # EX_SOFTWARE of sysexits.h: an unexpected exception, printed with its traceback
EXIT_SIGINT = 130
EXIT_SIGTERM = 143


class ErrorId(enum.Enum):
    """Unique, stable ids, printed with every error and found again in the documentation."""

    # usage
    USAGE = ("usage", ErrorClass.USAGE)
    ADDITIONAL_CONFIG = ("additional-config-malformed", ErrorClass.USAGE)
    EXPLAIN_INPUT = ("explain-input-unreadable", ErrorClass.USAGE)
    SERVE_COMMAND = ("serve-command-malformed", ErrorClass.USAGE)
    LOG_UNREADABLE = ("log-unreadable", ErrorClass.USAGE)
    # refused
    REFUSED_BY_SERVER = ("refused-by-server", ErrorClass.REFUSED)
    NOT_COVERED = ("not-covered", ErrorClass.REFUSED)
    ARCHITECTURE_UNSUPPORTED = ("architecture-unsupported", ErrorClass.REFUSED)
    DOES_NOT_FIT = ("does-not-fit", ErrorClass.REFUSED)
    # model
    MODEL_NOT_FOUND = ("model-not-found", ErrorClass.MODEL)
    MODEL_GATED = ("model-gated", ErrorClass.MODEL)
    MODEL_OFFLINE = ("model-offline", ErrorClass.MODEL)
    MODEL_NO_CONFIG = ("model-without-config", ErrorClass.MODEL)
    MODEL_UNREADABLE = ("model-unreadable", ErrorClass.MODEL)
    REVISION_NOT_FOUND = ("revision-not-found", ErrorClass.MODEL)
    HUB_TOKEN_REJECTED = ("hub-token-rejected", ErrorClass.MODEL)
    # toolchain
    UNKNOWN_TOOLCHAIN = ("unknown-toolchain", ErrorClass.TOOLCHAIN)
    TARGET_UNSUPPORTED = ("target-unsupported", ErrorClass.TOOLCHAIN)
    LOCK_MALFORMED = ("lock-malformed", ErrorClass.TOOLCHAIN)
    LOCK_UNWRITABLE = ("lock-not-writable", ErrorClass.TOOLCHAIN)
    LOCK_MOVED = ("locked-tag-moved", ErrorClass.TOOLCHAIN)
    TOOLCHAIN_DAMAGED = ("toolchain-file-damaged", ErrorClass.TOOLCHAIN)
    MANIFEST_DAMAGED = ("manifest-damaged", ErrorClass.TOOLCHAIN)
    NOT_A_NEURON_IMAGE = ("not-a-neuron-image", ErrorClass.TOOLCHAIN)
    # engine
    ENGINE_UNAVAILABLE = ("engine-unavailable", ErrorClass.ENGINE)
    ENGINE_LOCAL_REAL = ("engine-local-needs-simulate", ErrorClass.ENGINE)
    IMAGE_MISSING = ("image-missing", ErrorClass.ENGINE)
    HOST_TOO_SMALL = ("host-too-small", ErrorClass.ENGINE)
    HOST_ARCHITECTURE = ("host-not-amd64", ErrorClass.ENGINE)
    ENGINE_FAILED = ("engine-failed", ErrorClass.ENGINE)
    # compile
    COMPILE_FAILED = ("compile-failed", ErrorClass.COMPILE)
    COMPILE_TIMEOUT = ("compile-timeout", ErrorClass.COMPILE)
    COMPILE_OUT_OF_MEMORY = ("compile-out-of-memory", ErrorClass.COMPILE)
    RUNNER_DIED = ("runner-without-result", ErrorClass.COMPILE)
    RUNNER_FAILED = ("runner-failed", ErrorClass.COMPILE)
    PATCH_TARGET_MISSING = ("patch-target-missing", ErrorClass.COMPILE)
    # mismatch
    FINGERPRINT_MISMATCH = ("fingerprint-mismatch", ErrorClass.MISMATCH)
    # eos
    EOS_FAILED = ("eos-check-failed", ErrorClass.EOS)
    # store
    STORE_NOT_A_STORE = ("not-a-store", ErrorClass.STORE)
    STORE_UNWRITABLE = ("store-not-writable", ErrorClass.STORE)
    DISK_FULL = ("disk-full", ErrorClass.STORE)
    ARTIFACT_NOT_FOUND = ("artifact-not-found", ErrorClass.STORE)
    ARTIFACT_DAMAGED = ("artifact-damaged", ErrorClass.STORE)
    ARTIFACT_UNREADABLE = ("artifact-unreadable", ErrorClass.STORE)
    STORE_DAMAGED = ("store-damaged", ErrorClass.STORE)
    DESTINATION_IN_USE = ("destination-not-empty", ErrorClass.STORE)
    # policy
    SIMULATED_REFUSED = ("simulated-artifact", ErrorClass.POLICY)
    REFERENCE_REQUIRED = ("reference-required", ErrorClass.POLICY)
    SECRET_IN_ENVIRONMENT = ("secret-in-environment", ErrorClass.POLICY)
    # network
    HUB_UNREACHABLE = ("hub-unreachable", ErrorClass.NETWORK)
    REGISTRY_UNREACHABLE = ("registry-unreachable", ErrorClass.NETWORK)
    REGISTRY_REFUSED = ("registry-refused", ErrorClass.NETWORK)
    # doctor
    NOT_READY = ("not-ready", ErrorClass.NOT_READY)

    def __init__(self, string_id: str, error_class: ErrorClass) -> None:
        self.string_id = string_id
        self.error_class = error_class


def _check_tables() -> None:
    """Fail at import when two errors share an id or two classes an exit code: scripts rely on both."""
    ids = [member.string_id for member in ErrorId]
    codes = [member.exit_code for member in ErrorClass] + [EXIT_OK, EXIT_INTERNAL, EXIT_SIGINT, EXIT_SIGTERM]
    for name, values in (("error id", ids), ("exit code", list(map(str, codes)))):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise RuntimeError(f"{name} used twice: {twice}")


_check_tables()


class AotError(Exception):
    """An expected failure.

    ``reason`` says what happened and why, ``remedy`` what the user can do about it, ``facts`` carries JSON-able
    details (the finding list of an EOS check, the differing fields of a mismatch) into the ``--json`` document.
    """

    def __init__(self, error_id: ErrorId, *, reason: str, remedy: str, facts: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.error_id = error_id
        self.reason = reason
        self.remedy = remedy
        self.facts = facts or {}

    @property
    def exit_code(self) -> int:
        """Exit status of the process, one per error class."""
        return self.error_id.error_class.exit_code
