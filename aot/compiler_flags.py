"""What can be wrong with ``--compiler-flags`` before anything is started. Pure; the runner checks the same again."""

from __future__ import annotations

import shlex


def problem(flags: str, target: str) -> str | None:
    """Why the runner would not take these flags for this target, or None."""
    try:
        words = shlex.split(flags)
    except ValueError as error:
        return f"they cannot be split into words ({error})"
    for word, following in zip(words, [*words[1:], ""], strict=False):
        name, equals, value = word.partition("=")
        if name == "--target" and (value if equals else following) != target:
            return f"they say --target {value if equals else following or '(nothing)'}, and the build is for {target}"
    return None
