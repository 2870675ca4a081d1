"""Tables of flags, and a command line read with them."""

from __future__ import annotations

import functools
import json
from typing import Any

from aot import resources
from aot.serve_command import CommandError, ServeCommand, parse, parse_arguments

VLLM = ("0.13.0", "0.16.0")


@functools.cache
def table(release: str = "0.13.0") -> dict[str, Any]:
    return json.loads((resources.manifests() / "vllm" / f"{release}.json").read_bytes())


def reader(files: dict[str, str]):
    def read(name: str) -> bytes:
        if name not in files:
            raise CommandError(f"{name} cannot be read", "")
        return files[name].encode()

    return read


def understood(text: str, files: dict[str, str] | None = None, release: str = "0.13.0") -> ServeCommand:
    return parse(text, table(release), reader(files or {}))


def arguments(*words: str, files: dict[str, str] | None = None, module: bool = False, release: str = "0.13.0"):
    return parse_arguments(words, table(release), reader(files or {}), module=module)
