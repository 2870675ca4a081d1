"""From what a user typed to one entry of the index."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from aot.artifact.layout import DIGEST, MANIFEST_TYPE, Descriptor
from aot.artifact.record import tag_for_key
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_HEX = re.compile(r"[0-9a-f]+")
MIN_PREFIX = 12
_SHOWN = 5


def lookup(store: Path, entries: Sequence[Descriptor], name: str | None) -> Descriptor:
    """The entry that ``name`` means: tag, digest, digest prefix or key; None means the only one.

    Raises ``ARTIFACT_NOT_FOUND``, also where a prefix fits more than one artifact.
    """
    images = {entry.digest: entry for entry in entries if entry.media_type == MANIFEST_TYPE}
    found = _matches(images, entries, name)
    if len(found) == 1:
        return images[found[0]]
    if found:
        raise _not_found(store, f"{name!r} means more than one artifact" if name else "no artifact is named", found)
    near = _near(entries, images, name or "")
    raise _not_found(store, f"there is no artifact {name!r}" if name else "there is no artifact", near)


def _matches(images: dict[str, Descriptor], entries: Sequence[Descriptor], name: str | None) -> list[str]:
    if name is None:
        # Reports lie beside the artifacts, without a tag; only what has a tag can be meant by saying nothing.
        return sorted({entry.digest for entry in entries if entry.tag is not None and entry.digest in images})
    tagged = [entry.digest for entry in entries if entry.tag in (name, tag_for_key(name)) and entry.digest in images]
    if tagged:
        return tagged[:1]
    if DIGEST.fullmatch(name):
        return [name] if name in images else []
    digits = name.removeprefix("sha256:")
    if len(digits) >= MIN_PREFIX and _HEX.fullmatch(digits):
        return sorted(digest for digest in images if digest.startswith(f"sha256:{digits}"))
    return []


def _near(entries: Sequence[Descriptor], images: dict[str, Descriptor], name: str) -> list[str]:
    names = [entry.tag for entry in entries if entry.tag is not None] + list(images)
    digits = name.removeprefix("sha256:").removeprefix("key-")
    alike = [each for each in names if digits and each.removeprefix("sha256:").removeprefix("key-").startswith(digits)]
    return list(dict.fromkeys(alike + difflib.get_close_matches(name, names, n=_SHOWN, cutoff=0.5)))


def _not_found(store: Path, what: str, near: Sequence[str]) -> AotError:
    shown = ", ".join(near[:_SHOWN])
    return AotError(
        ErrorId.ARTIFACT_NOT_FOUND,
        reason=f"{what} in {store}" + (f"; similar: {shown}" if shown else ""),
        remedy="name a tag, a key, a digest or its first 12 digits; `aot list` shows what is there",
        facts={"store": str(store), "similar": list(near)},
    )
