"""Render chat templates in a process of its own: started by path, standard library and jinja2 only.

A template is a program from a stranger. jinja2's sandbox keeps it from reaching Python, but not from looping for ever
or filling the memory, so this process limits its own CPU time and address space before it touches one.
The environment is transformers' (``utils/chat_template_utils._compile_jinja_template``, 4.57.6).

stdin: {"jobs": [{"template", "variables"}]}; stdout: {"results": [{"text"} or {"error"}]}, in the same order.
"""

from __future__ import annotations

import datetime
import json
import resource
import sys
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

CPU_SECONDS = 2  # renderings take milliseconds
ADDRESS_SPACE = 1 << 30
OUTPUT_LIMIT = 1 << 20  # characters per rendering


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
        return {"text": sandbox.from_string(job["template"]).render(**job["variables"])[:OUTPUT_LIMIT]}
    except Exception as error:  # noqa: BLE001 - a template can raise whatever Python can; all of it is the answer
        return {"error": f"{type(error).__name__}: {error}"[:500]}


def main() -> None:
    """Limit this process, render, answer."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    sandbox = environment()
    jobs = json.load(sys.stdin)["jobs"]
    json.dump({"results": [render(sandbox, job) for job in jobs]}, sys.stdout)


if __name__ == "__main__":
    main()
