"""Files of variables: ``NAME=VALUE`` a line, as systemd, docker compose and a shell read them alike."""

from __future__ import annotations

import re

from aot.serve_command.errors import CommandError

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def parse_env_file(text: str) -> dict[str, str]:
    """Blank lines and ``#`` lines are skipped, a pair of quotes around a value is taken off. Raises CommandError.

    ``docker run --env-file`` keeps quotes as part of the value: write none there.
    """
    variables: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise CommandError(f"line {number} of the file of variables is not NAME=VALUE", "write NAME=VALUE a line")
        value = match[2].strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        variables[match[1]] = value[1:-1] if quoted else value
    return variables
