"""How users name an artifact on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aot.errors import AotError, ErrorId


@dataclass(frozen=True)
class Reference:
    """A store and a name in it (tag, digest, digest prefix or key); without a name the store's only artifact."""

    store: Path
    name: str | None


def parse_reference(text: str, default_store: Path) -> Reference:
    """Read ``NAME``, ``oci:STORE``, ``oci:STORE:NAME`` or ``STORE@sha256:...`` (``oci:`` before it or not).

    Raises ``USAGE`` for an empty text and for a registry, which has to be pulled from first.
    """
    if "://" in text or text.startswith("docker:"):
        raise _malformed(text, "it names a registry, and only local stores are read here")
    is_layout = text.startswith("oci:")
    rest = text.removeprefix("oci:")
    store, at, name = rest.rpartition("@")
    if not at and is_layout:
        store, at, name = rest.partition(":")
    elif not at:
        store, name = "", rest
    if (at and not (store and name)) or not (store or name):
        raise _malformed(text, "a store or a name is missing")
    return Reference(Path(store).expanduser() if store else default_store, name or None)


def _malformed(text: str, why: str) -> AotError:
    return AotError(
        ErrorId.USAGE,
        reason=f"{text!r} does not name an artifact: {why}",
        remedy="write a tag, a key or a digest of the default store, oci:STORE:TAG, or STORE@sha256:...",
    )
