"""A stand-in for the AWS compiler image: the same import paths and call signatures, and nothing of the real compiler.

Everything it produces says SIMULATED. It shares no code and no data with ``aot``: a prediction compared with itself
would prove nothing. What it does not know it refuses (``DoesNotKnow``), it never guesses.
"""

SIMULATED = True


class DoesNotKnow(NotImplementedError):
    """Asked for something outside the simulator's small world."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the simulator does not know {what}; the real image may")


def require(condition: object, message: str = "") -> None:
    """Upstream asserts; the server then ends with the same type of error."""
    if not condition:
        raise AssertionError(message)
