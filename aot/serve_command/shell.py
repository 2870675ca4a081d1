"""A shell's first step: text -> simple commands, each a list of words (POSIX.1-2024, 2.2 and 2.3).

Only what needs no shell to run: quotes, escapes, line continuations, comments, and commands in sequence. Whatever a
shell would replace by something else (variables, substitutions) is refused, because its value is not known here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aot.serve_command.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLANK = " \t\r"
_IN_DOUBLE_QUOTES = '$`"\\'  # characters that a backslash escapes there


def commands(text: str) -> list[list[str]]:
    """The commands of a script without control flow; a JSON list of words is taken as one command."""
    if text.lstrip().startswith("["):
        return [_json_words(text)]
    return _Reader(text).read()


def _json_words(text: str) -> list[str]:
    remedy = 'give a list of strings, e.g. ["vllm", "serve", "/models/Qwen/Qwen3-8B"]'
    try:
        words = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise CommandError(f"the command begins with '[' but is no JSON list: {problem}", remedy) from problem
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise CommandError("the command is a JSON list of something else than strings", remedy)
    return words


class _Reader:
    """One pass over the characters. ``word`` is None between words, so that ``''`` is a word too."""

    def __init__(self, text: str) -> None:
        self.rest: Iterator[str] = iter(text.replace("\\\r\n", "\\\n"))
        self.word: str | None = None
        self.found: list[list[str]] = [[]]

    def read(self) -> list[list[str]]:
        for character in self.rest:
            if character in _BLANK:
                self._end_word()
            elif character in "\n;":
                self._end_command()
            elif character == "#" and self.word is None:
                self._skip_comment()
            elif character in "&|<>()":
                self._operator(character)
            else:
                self._word_character(character)
        self._end_command()
        return [command for command in self.found if command]

    def _word_character(self, character: str) -> None:
        if character == "'":
            self.word = (self.word or "") + "".join(self._until_quote())
        elif character == '"':
            self.word = (self.word or "") + "".join(self._double_quoted())
        elif character == "\\":
            escaped = next(self.rest, "")
            if escaped != "\n":
                self.word = (self.word or "") + escaped
        elif character in "$`" or (character == "~" and self.word is None):
            raise self._expansion(character)
        else:
            self.word = (self.word or "") + character

    def _until_quote(self) -> Iterator[str]:
        for character in self.rest:
            if character == "'":
                return
            yield character
        raise _unclosed("'")

    def _double_quoted(self) -> Iterator[str]:
        for character in self.rest:
            if character == '"':
                return
            if character in "$`":
                raise self._expansion(character)
            if character != "\\":
                yield character
                continue
            escaped = next(self.rest, "")
            if escaped in _IN_DOUBLE_QUOTES:
                yield escaped
            elif escaped != "\n":
                yield "\\" + escaped
        raise _unclosed('"')

    def _skip_comment(self) -> None:
        for character in self.rest:
            if character == "\n":
                self._end_command()
                return

    def _operator(self, character: str) -> None:
        if character == "&" and next(self.rest, "") == "&":
            self._end_command()
            return
        raise CommandError(
            f"the command holds {character!r}, which a shell does not pass on to vLLM",
            "give the server's command alone, or put the character in quotes",
        )

    def _end_word(self) -> None:
        if self.word is not None:
            self.found[-1].append(self.word)
            self.word = None

    def _end_command(self) -> None:
        self._end_word()
        self.found.append([])

    def _expansion(self, character: str) -> CommandError:
        name = "".join(self.rest).partition("\n")[0][:20]
        return CommandError(
            f"a shell would replace {character + name!r} in the command by a value that is not known here",
            "write the value itself, or put it in single quotes if it is meant literally",
        )


def _unclosed(quote: str) -> CommandError:
    return CommandError(f"a quote {quote} is never closed in the command", "close it")
