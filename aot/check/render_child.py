"""Render chat templates in a process of its own: ``python -I -S render_child.py DIRECTORY...``.

A template is a program from a stranger. jinja2's sandbox keeps it from reaching Python, but not from looping for ever
or filling the memory. So this process counts what a template does, which gives every host the same answer, and limits
its own CPU time and address space for what happens inside a single step.
The environment is transformers' (``utils/chat_template_utils._compile_jinja_template``, 4.57.6).

The arguments are the directories that hold jinja2 and markupsafe, the only packages seen here beside the standard
library. stdin: {"jobs": [{"template", "variables"}]}; stdout: {"results": [{"text"}, {"error"} or {"limit"}]}, in the
same order. Exit status ``LIMITED`` where the memory ran out outside a rendering.
"""

from __future__ import annotations

import datetime
import json
import random
import re
import resource
import sys
from typing import Any

sys.path.extend(sys.argv[1:])  # after the standard library, which nothing there may replace

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

STEPS = 300_000  # lines of Python per rendering; the longest templates in use take some thousands
CPU_SECONDS = 5  # of the whole process; renderings take milliseconds
ADDRESS_SPACE = 1 << 30
OUTPUT_LIMIT = 1 << 20  # characters per rendering
LIMITED = 3
_ADDRESS = re.compile(r"(?<= at )0x[0-9a-f]+")  # Python's names of objects, another one in every process


class _TooManySteps(BaseException):
    """The template runs on and on. No ``Exception``, for jinja2 swallows some of those."""


class Generation(jinja2.ext.Extension):
    """``{% generation %}`` marks the assistant's words for training; here it only has to be accepted."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it as a mutable set

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """Keep the body, drop the tag."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _strftime_now(form: str) -> str:
    # A fixed day: a template that writes the date must not make two checks of one model differ.
    return datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC).strftime(form)


def environment() -> jinja2.Environment:
    """The sandbox with the globals that transformers offers to a template."""
    extensions: list[Any] = [Generation, jinja2.ext.loopcontrols]
    sandbox = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    sandbox.filters["tojson"] = _tojson
    sandbox.globals["raise_exception"] = _raise_exception
    sandbox.globals["strftime_now"] = _strftime_now
    return sandbox


def render(sandbox: jinja2.Environment, job: dict[str, Any]) -> dict[str, str]:
    """One rendering, or the message of what went wrong: any exception here is the template's."""
    try:
        template = sandbox.from_string(job["template"])
        return {"text": _ADDRESS.sub("0x0", _counted(template, job["variables"])[:OUTPUT_LIMIT])}
    except _TooManySteps:
        return {"error": f"it takes more than {STEPS} steps"}
    except MemoryError:
        return {"limit": f"it takes more than {ADDRESS_SPACE >> 20} MiB of memory"}
    except Exception as error:  # noqa: BLE001 - a template can raise whatever Python can; all of it is the answer
        return {"error": _ADDRESS.sub("0x0", f"{type(error).__name__}: {error}"[:500])}


def _counted(template: jinja2.Template, variables: dict[str, Any]) -> str:
    """Render within ``STEPS`` lines; chance (``random``, ``lipsum``) is the same in every process."""
    left = STEPS

    def trace(_frame: Any, event: str, _argument: Any) -> Any:
        nonlocal left
        left -= event == "line"
        if left < 0:
            raise _TooManySteps
        return trace

    random.seed(0)
    sys.settrace(trace)
    try:
        return template.render(**variables)
    finally:
        sys.settrace(None)


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, allowed))


def main() -> None:
    """Limit this process, render, answer."""
    _limit(resource.RLIMIT_CPU, CPU_SECONDS)
    _limit(resource.RLIMIT_AS, ADDRESS_SPACE)
    try:
        sandbox = environment()
        jobs = json.load(sys.stdin)["jobs"]
        answer = json.dumps({"results": [render(sandbox, job) for job in jobs]})
    except MemoryError:
        sys.exit(LIMITED)
    sys.stdout.write(answer)


if __name__ == "__main__":
    main()
