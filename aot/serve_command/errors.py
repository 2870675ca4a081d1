"""Why a command line is not understood."""

from __future__ import annotations


class CommandError(Exception):
    """``message`` says what is wrong with the command, ``remedy`` what to write instead."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
