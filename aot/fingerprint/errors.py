"""Why a fingerprint is not given: the server would refuse, the request is malformed, or our rules do not reach."""

from __future__ import annotations


class FingerprintError(Exception):
    """Base of the three; ``message`` says what and why, ``remedy`` what to do about it."""

    kind = "error"

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Refused(FingerprintError):  # noqa: N818 - named after the answer it becomes
    """vLLM, its Neuron plugin, NxDI or transformers would raise on the same request."""

    kind = "refused"


class InvalidRequest(FingerprintError):  # noqa: N818 - named after the answer it becomes
    """The request itself is malformed: a field is missing or has the wrong JSON type."""

    kind = "invalid_request"


class NotCovered(FingerprintError):  # noqa: N818 - named after the answer it becomes
    """The result depends on something the rules do not model; a guess would be worse than no answer."""

    kind = "not_covered"

    def __init__(
        self,
        message: str,
        remedy: str = "leave it out, or ask the image itself (`aot plan --exact`, for what it has options for)",
    ) -> None:
        super().__init__(message, remedy)
