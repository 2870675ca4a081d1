"""The path under which the serving pod sees the model.

vLLM hands this string to NxDI, which hashes it verbatim as ``_name_or_path`` and later looks there for the weights.
It is therefore part of what is built, and it is never normalised: ``/models/x`` and ``/models/x/`` are two artifacts.
"""

from __future__ import annotations

import re
from pathlib import Path

from aot import hash_warnings
from aot.errors import AotError, ErrorId

MODELS_ROOT = "/models"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
# huggingface_hub.utils.validate_repo_id: up to 96 characters, no "--" or "..", not ending in .git
_HUB_ID = re.compile(rf"(?:{_NAME}/)?[A-Za-z0-9_](?:[A-Za-z0-9._-]{{0,94}}[A-Za-z0-9_])?")
_SNAPSHOT = re.compile(r"models--(?P<id>.+)/snapshots/[0-9a-f]{40}/?$")


def is_hub_id(model: str) -> bool:
    """Whether the string can be a Hub id: ``org/name``, or ``name`` alone for old repositories such as gpt2."""
    if len(model) > 96 or "--" in model or ".." in model or model.endswith(".git"):
        return False
    return _HUB_ID.fullmatch(model) is not None


def local_id(directory: Path) -> str:
    """The id that a directory's own path suggests.

    ``.../models/<org>/<name>`` and a snapshot in the Hugging Face cache give ``org/name``; anything else the
    directory's name alone, because the parent's name then says where the user keeps things and not who made them.
    """
    absolute = directory.absolute()
    cached = _SNAPSHOT.search(absolute.as_posix())
    if cached:
        return cached["id"].replace("--", "/", 1)
    resolved = absolute.resolve() if absolute.name in ("", "..") else absolute
    parts = [part for part in resolved.parts if part not in ("/", ".")]
    if len(parts) >= 3 and parts[-3].lower() == "models":
        return "/".join(parts[-2:])
    return parts[-1] if parts else "model"


def canonical_path(model_id: str, given: str | None) -> tuple[str, list[str]]:
    """The in-container path and warnings about it: ``/models/<id>``, or the given path verbatim."""
    path = f"{MODELS_ROOT}/{model_id}" if given is None else given
    if not path.startswith("/") or path == "/" or not path.isprintable():
        raise AotError(
            ErrorId.USAGE,
            reason=f"the model path {path!r} is not the absolute path of a directory in printable characters",
            remedy="Give the path under which the pod will see the model, such as /models/Qwen/Qwen3-8B.",
        )
    return path, hash_warnings.of_path(path)
