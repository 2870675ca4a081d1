"""The three faces of ``aot.progress.Progress``: a terminal (rich), plain lines, GitHub Actions log groups."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from aot.cli import display

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.status import Status

    from aot.progress import Progress

HEARTBEAT_SECONDS = 30.0


class Plain:
    """One line per event on stderr; what a log file or a CI system keeps."""

    def __init__(self, *, verbose: bool) -> None:
        self.verbose = verbose
        self._last_heartbeat = time.monotonic()

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Title before, duration after, also when the stage fails."""
        start = time.monotonic()
        self.info(f"== {title}")
        try:
            yield
        finally:
            self.info(f"   {title}: {time.monotonic() - start:.1f} s")

    def info(self, text: str) -> None:
        """Print a line."""
        self._say(text)

    def warn(self, text: str) -> None:
        """Print a line that starts with ``warning:``."""
        self._say(f"warning: {text}")

    def line(self, text: str) -> None:
        """Print a child's line, indented, with ``--verbose`` only."""
        if self.verbose:
            self._say(f"   | {text}")

    def heartbeat(self, text: str) -> None:
        """Print at most one line in ``HEARTBEAT_SECONDS``."""
        now = time.monotonic()
        if now - self._last_heartbeat >= HEARTBEAT_SECONDS:
            self._last_heartbeat = now
            self._say(f"   ... {text}")

    def _say(self, text: str) -> None:
        display.say(text, err=True)


class GitHub(Plain):
    """Log groups and annotations as GitHub Actions reads them from a job's output."""

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold everything said inside."""
        start = time.monotonic()
        self._command("group", title)
        try:
            yield
        finally:
            self._command("endgroup", "")
            self._say(f"{title}: {time.monotonic() - start:.1f} s")

    def warn(self, text: str) -> None:
        """Annotate the run."""
        self._command("warning title=aot", text)

    def _command(self, name: str, text: str) -> None:
        # Newlines and % are data in a workflow command and must be escaped.
        escaped = display.clean(text).replace("%", "%25").replace("\n", "%0A")
        click.echo(f"::{name}::{escaped}", err=True)

    def _say(self, text: str) -> None:
        click.echo(display.without_commands(display.clean(text)), err=True)


class Terminal(Plain):
    """A spinner for heartbeats, colours for the rest."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__(verbose=verbose)
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = None

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Title in bold; a spinner lives as long as the outermost group."""
        start = time.monotonic()
        self._console.print(f"[bold]{_escaped(title)}[/bold]")
        outer, self._status = self._status, self._status or self._console.status("")
        if outer is None:
            self._status.start()
        try:
            yield
        finally:
            if outer is None:
                self._status.stop()
            self._status = outer
            self._console.print(f"  [dim]{_escaped(title)}: {time.monotonic() - start:.1f} s[/dim]")

    def warn(self, text: str) -> None:
        """Print in yellow."""
        self._console.print(f"[yellow]warning:[/yellow] {_escaped(text)}", soft_wrap=True)

    def heartbeat(self, text: str) -> None:
        """Replace the spinner's text."""
        if self._status is not None:
            self._status.update(_escaped(display.clean_line(text)))

    def _say(self, text: str) -> None:
        self._console.print(_escaped(text), soft_wrap=True)


def _escaped(text: str) -> str:
    from rich.markup import escape  # log lines hold square brackets

    return escape(display.clean(text))


def choose(*, verbose: bool) -> Progress:
    """The face that suits where stderr goes."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return GitHub(verbose=verbose)
    if sys.stderr.isatty():
        return Terminal(verbose=verbose)
    return Plain(verbose=verbose)
