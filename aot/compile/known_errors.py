"""The catalogue of known failures: ``manifests/known_errors/<id>.toml``, one file each.

An entry is matched line by line. A pattern is a literal that must occur in the line (cheap, and what the log reader
searches gigabytes for) and optionally a regular expression that the line must also match. Where several entries claim
a line, the one with the smallest ``order`` is meant: 10-20 name one failure, 50 one error code, 80 and more only say
what kind of thing happened.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from aot import resources
from aot.errors import AotError, ErrorId
from aot.request import Target

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from aot.compile.failure import FailedModule

GENERIC = 90
"""From this ``order`` on an entry explains nothing by itself and gives way to any other failure of the log."""

Confidence = Literal["documented", "reported", "inference"]
ErrorKind = Literal["internal-compiler-error", "user-error", "resource", "environment", "runtime"]
Text = Annotated[str, msgspec.Meta(min_length=1)]


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``literal`` occurs in the line, and the line matches ``regex`` where there is one.

    ``near`` says that such a line never comes alone: it is only looked for next to another line of interest (an error
    code, a failed command), which keeps the reading of gigabytes fast.
    """

    literal: Text
    regex: str | None = None
    near: bool = False

    def __post_init__(self) -> None:
        """A regular expression that does not compile is refused when the entry is read."""
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as problem:
                raise ValueError(f"regex {self.regex!r} does not compile: {problem}") from problem

    def matches(self, line: str) -> bool:
        """Whether this pattern claims the line."""
        return self.literal in line and (self.regex is None or re.search(self.regex, line) is not None)


class KnownError(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One known failure.

    ``confidence`` is how sure we are that the failure exists as described, ``cause_confidence`` and
    ``workaround_confidence`` override it for those two texts. ``samples`` are lines the patterns must claim: genuine
    ones where they are published, else the documented message in the format of genuine lines. No pattern at all means
    that no log shows the failure; ``workaround`` then says how to detect it.
    """

    id: Text
    code: str | None = None
    name: Text
    kind: ErrorKind = msgspec.field(name="class")
    confidence: Confidence
    order: Annotated[int, msgspec.Meta(ge=1, le=99)]
    targets: tuple[Target, ...] = ()
    graphs: tuple[str, ...] = ()
    sdk_first: str | None = None
    sdk_fixed: str | None = None
    seen_with: str | None = None
    exit_status: int | None = None
    cause: Text
    cause_confidence: Confidence | None = None
    workaround: Text
    workaround_confidence: Confidence | None = None
    remedies: tuple[str, ...] = ()
    link: str | None = None
    more_links: tuple[str, ...] = ()
    remove_when: Text
    samples: tuple[Text, ...]
    patterns: tuple[Pattern, ...] = ()

    def matches(self, line: str) -> bool:
        """Whether one of the patterns claims the line."""
        return any(pattern.matches(line) for pattern in self.patterns)


def load_entry(path: Path) -> KnownError:
    """Read one entry. Raises ``MANIFEST_DAMAGED`` naming the file and the field or line."""
    try:
        entry = msgspec.toml.decode(path.read_bytes(), type=KnownError)
    except (OSError, ValueError) as problem:  # msgspec's and tomllib's errors are ValueErrors that name field or line
        raise _damaged(path, str(problem)) from problem
    if entry.id != path.stem:
        raise _damaged(path, f"id is {entry.id!r}, but the file is named {path.name!r}")
    return entry


def _damaged(path: Path, problem: str) -> AotError:
    return AotError(
        ErrorId.MANIFEST_DAMAGED,
        reason=f"known error {path}: {problem}",
        remedy="correct the entry; CONTRIBUTING says how one is written. In an installation: reinstall neuron-aot",
    )


def load_directory(directory: Path) -> tuple[KnownError, ...]:
    """All entries of a directory, most specific first, then by id."""
    entries = [load_entry(path) for path in directory.glob("*.toml")]
    return tuple(sorted(entries, key=lambda entry: (entry.order, entry.id)))


@cache
def catalogue() -> tuple[KnownError, ...]:
    """The shipped catalogue."""
    return load_directory(resources.manifests() / "known_errors")


def find(error_id: str) -> KnownError | None:
    """The entry with this id, or with this code where exactly one entry bears it; case does not matter."""
    wanted = error_id.casefold()
    by_id = [entry for entry in catalogue() if entry.id.casefold() == wanted]
    by_code = [entry for entry in catalogue() if (entry.code or "").casefold() == wanted]
    found = by_id or by_code
    return found[0] if len(found) == 1 else None


def claims(line: str, entries: Iterable[KnownError]) -> KnownError | None:
    """The first entry that claims the line; ``entries`` are in the catalogue's order."""
    return next((entry for entry in entries if entry.matches(line)), None)


def recognise(failure: FailedModule) -> KnownError | None:
    """The entry that explains a failure read from a log, if one does."""
    if failure.error is not None:
        return find(failure.error)
    return claims(failure.message, catalogue())
