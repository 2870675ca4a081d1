"""``index.json`` of a store: read whole, replaced whole, changed by one process at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aot.artifact.disk import disk_errors, publish, write_new
from aot.artifact.layout import INDEX_FILE, INDEX_TYPE, REF_NAME, Descriptor, Index
from aot.errors import AotError, ErrorId
from aot.storage.locks import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

BOOKKEEPING = ".aot"
EMPTY_INDEX = Index(schema_version=2, media_type=INDEX_TYPE, manifests=[])


def read(store: Path) -> Index:
    """The index of ``store``. Raises ``STORE_DAMAGED``."""
    path = store / INDEX_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Index)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise AotError(
            ErrorId.STORE_DAMAGED,
            reason=f"{path} cannot be read: {problem}",
            remedy="restore the file, or choose another store with --store and build again; the blobs are untouched",
        ) from problem


def write(store: Path, index: Index) -> None:
    """Replace the index; the caller holds the index lock. A reader sees the old one or the new one."""
    temporary = store / BOOKKEEPING / f"{INDEX_FILE}.new"
    write_new(temporary, msgspec.json.format(msgspec.json.encode(index, order="deterministic"), indent=2) + b"\n")
    publish(temporary, store / INDEX_FILE)


def update(store: Path, change: Callable[[list[Descriptor]], list[Descriptor]]) -> None:
    """Read, change and replace the index under its lock."""
    with exclusive(store / BOOKKEEPING / "locks" / "index.lock"), disk_errors(store):
        before = read(store)
        write(store, msgspec.structs.replace(before, manifests=change(before.manifests)))


def with_tags(entries: Sequence[Descriptor], added: Descriptor, tags: Sequence[str]) -> list[Descriptor]:
    """``entries`` with ``added`` under ``tags`` as well as those it had; a tag that pointed elsewhere is taken over.

    What loses its last tag stays as an entry without one, so it can still be found by digest.
    """
    wanted = list(dict.fromkeys(tags))
    kept = [_untagged(entry) if entry.tag in wanted else entry for entry in entries]
    own = [entry.tag for entry in kept if entry.digest == added.digest and entry.tag is not None]
    others = [entry for entry in kept if entry.digest != added.digest]
    names: list[str | None] = list(dict.fromkeys([*own, *wanted])) or [None]
    return [*_without_spare(others), *(_tagged(added, name) for name in names)]


def tags_of(entries: Sequence[Descriptor], digest: str) -> tuple[str, ...]:
    """All tags of one manifest, sorted."""
    return tuple(sorted(entry.tag for entry in entries if entry.digest == digest and entry.tag is not None))


def _tagged(entry: Descriptor, tag: str | None) -> Descriptor:
    notes = {name: value for name, value in (entry.annotations or {}).items() if name != REF_NAME}
    if tag is not None:
        notes[REF_NAME] = tag
    return msgspec.structs.replace(entry, annotations=notes or None)


def _untagged(entry: Descriptor) -> Descriptor:
    return _tagged(entry, None)


def _without_spare(entries: list[Descriptor]) -> list[Descriptor]:
    """Drop entries without a tag where the same manifest is there with one, and repetitions of them."""
    tagged = {entry.digest for entry in entries if entry.tag is not None}
    kept: list[Descriptor] = []
    for entry in entries:
        if entry.tag is None and entry.digest in tagged:
            continue
        tagged.add(entry.digest)
        kept.append(entry)
    return kept
