"""How long work tells the user where it is; the command line decides what that looks like."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """Everything here goes to stderr; stdout belongs to the result."""

    def group(self, title: str) -> AbstractContextManager[None]:
        """A titled stage whose duration is reported when it ends."""
        ...

    def info(self, text: str) -> None:
        """One line that the user should see."""
        ...

    def warn(self, text: str) -> None:
        """Something the user should act on, or at least know."""
        ...

    def line(self, text: str) -> None:
        """A line of a noisy child, shown only when asked for."""
        ...

    def heartbeat(self, text: str) -> None:
        """Still alive: replaces itself on a terminal, rate-limited elsewhere."""
        ...


class Silent:
    """Progress for tests and for callers who want none."""

    def group(self, title: str) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    def info(self, text: str) -> None:
        """Do nothing."""

    def warn(self, text: str) -> None:
        """Do nothing."""

    def line(self, text: str) -> None:
        """Do nothing."""

    def heartbeat(self, text: str) -> None:
        """Do nothing."""
