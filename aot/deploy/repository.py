"""The name of a repository in a registry, as ``--repository`` takes it."""

from __future__ import annotations

import re

from aot.errors import AotError, ErrorId

# distribution specification, "Pulling manifests": the grammar of a repository name; host as in RFC 3986 with a port.
_HOST = re.compile(r"(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|\[[0-9A-Fa-f:]+\]|[A-Za-z0-9-]+(?=:))(:\d{1,5})?")
_PART = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*")
_MAX_LENGTH = 255


def check_repository(text: str) -> str:
    """``host[:port]/path`` and nothing else; returns it. Raises ``USAGE`` saying which part is wrong."""
    if why := _fault(text):
        raise AotError(
            ErrorId.USAGE,
            reason=f"{text!r} is not a repository: {why}",
            remedy="write host and path only, for example --repository registry.example.com/team/qwen3-8b",
        )
    return text


def _fault(text: str) -> str | None:
    host, slash, path = text.partition("/")
    if "://" in text:
        return "it has a scheme; leave out everything up to ://"
    if "@" in text:
        return "it has a digest; the artifact's own digest is added"
    if ":" in path:
        return "it has a tag; the artifact is named by its digest"
    if not slash or not _HOST.fullmatch(host):
        return "it does not begin with a registry's host name"
    if len(text) > _MAX_LENGTH or not all(_PART.fullmatch(part) for part in path.split("/")):
        return "its path may hold lower-case letters, digits, and single . _ - between them"
    return None
