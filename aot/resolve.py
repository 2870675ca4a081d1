"""BuildRequest -> Inputs: the reading (toolchain, lock, model files, our own code). No decision is made here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aot import files, lock, resources, toolchain
from aot.model import fetch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aot.lock import Pin
    from aot.model import ModelSnapshot
    from aot.progress import Progress
    from aot.request import BuildRequest
    from aot.toolchain import Toolchain


@dataclass(frozen=True)
class Inputs:
    """Everything a plan is computed from.

    ``image_identity`` is what stands for the image in the key: a locked digest, ``simulated:<hash of the simulator>``,
    or None where the digest is not known yet. ``code_hash`` covers the runner and its patches.
    """

    request: BuildRequest
    toolchain: Toolchain
    profile: Mapping[str, Any] | None
    pin: Pin | None
    image_identity: str | None
    code_hash: str
    snapshot: ModelSnapshot


def resolve(request: BuildRequest, lock_path: Path, progress: Progress) -> Inputs:
    """Read what the request names. Raises the errors of ``aot.toolchain``, ``aot.lock`` and ``aot.model``."""
    chain = toolchain.choose(request.toolchain, request.target)
    pin = lock.read(lock_path).toolchains.get(chain.name)
    snapshot = fetch(
        request.model,
        request.revision,
        trust_remote_code=request.trust_remote_code,
        with_weights=request.with_weights,
        path=request.path,
        progress=progress,
    )
    return Inputs(
        request=request,
        toolchain=chain,
        profile=toolchain.load_profile(chain.name),
        pin=pin,
        image_identity=_image_identity(request, pin),
        code_hash=files.sha256_of_tree(resources.runner()),
        snapshot=snapshot,
    )


def with_pin(inputs: Inputs, pin: Pin) -> Inputs:
    """The same inputs once the toolchain's image is locked."""
    return replace(inputs, pin=pin, image_identity=_image_identity(inputs.request, pin))


def locked(inputs: Inputs, lock_path: Path, progress: Progress) -> Inputs:
    """Inputs whose image is pinned: the very same ones in a simulation and where the pin is the one they hold.

    Resolves the tag and writes the lock on first use. Raises ``LOCK_MOVED`` and the errors of the registry.
    """
    if inputs.request.simulate:
        return inputs
    from aot import locking

    pin = locking.ensure_locked(inputs.toolchain.name, lock_path, progress)
    return inputs if pin == inputs.pin else with_pin(inputs, pin)


def _image_identity(request: BuildRequest, pin: Pin | None) -> str | None:
    if request.simulate:
        # Never of the form sha256:..., so a simulated key cannot equal a real one.
        return f"simulated:{files.sha256_of_tree(resources.simulator())}"
    return pin.digest if pin else None
