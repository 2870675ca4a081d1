"""Resolve toolchain images to digests and keep them in ``aot.lock``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aot import lock, toolchain
from aot.errors import AotError, ErrorId
from aot.request import TARGETS
from aot.storage import registry

if TYPE_CHECKING:
    from pathlib import Path

    from aot.progress import Progress


def lock_toolchains(
    names: list[str], path: Path, *, image: str | None, update: bool, progress: Progress
) -> dict[str, lock.Pin]:
    """Resolve ``names`` (default: those locked already, else the targets' defaults) and write ``path``.

    Raises ``USAGE`` for an ``image`` that is no reference, ``LOCK_MOVED`` when a tag has another digest than the
    locked one and ``update`` is false.
    """
    if image is not None and not registry.is_reference(image):
        raise AotError(
            ErrorId.USAGE,
            reason=f"--image {image!r} is not of the form host/repository:tag",
            remedy="spell it like registry.example.com/neuron/vllm:0.13.0",
        )
    known = lock.read(path).toolchains
    wanted = names or list(known) or sorted({toolchain.default_for(target).name for target in TARGETS})
    pins: dict[str, lock.Pin] = {}
    for name in wanted:
        chain = toolchain.load(name)
        reference = image if image is not None else (known[name].image if name in known else chain.image)
        progress.info(f"resolving {reference}")
        pin = lock.Pin(reference, registry.resolve_digest(reference))
        old = known.get(name)
        if old and old.image == pin.image and old.digest != pin.digest and not update:
            raise moved(name, old, pin)
        pins[name] = pin
    for name, pin in pins.items():
        lock.add(path, name, pin)
    return pins


def moved(name: str, old: lock.Pin, new: lock.Pin) -> AotError:
    """The error for a tag that points elsewhere than when it was locked."""
    return AotError(
        ErrorId.LOCK_MOVED,
        reason=f"{new.image} was locked at {old.digest} and is {new.digest} now: the image was rebuilt under its tag",
        remedy=f"look at what changed, then accept it with `aot toolchain lock {name} --update`",
    )


def ensure_locked(name: str, path: Path, progress: Progress) -> lock.Pin:
    """The pin of ``name`` for a build: resolved and added on first use, refused when its tag has moved.

    A registry that does not answer is no reason to stop when a digest is locked: the build runs by digest anyway.
    """
    old = lock.read(path).toolchains.get(name)
    if old is None:
        progress.info(f"{name} is not in {path} yet: resolving its tag and adding it")
        return lock_toolchains([name], path, image=None, update=False, progress=progress)[name]
    try:
        now = registry.resolve_digest(old.image)
    except AotError as problem:
        progress.warn(f"could not check whether the tag has moved ({problem.reason}); using the locked digest")
        return old
    if now != old.digest:
        raise moved(name, old, lock.Pin(old.image, now))
    return old
