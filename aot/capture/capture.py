"""``toolchain capture``: run the runner's action ``capture`` in an image and read back what it found.

No model, no weights, no device, no network: the image describes itself.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from aot.compile import jobs, once
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from aot.compile.engine import Engine
    from aot.compile.jobs import RunSettings, Where
    from aot.progress import Progress

SCRATCH_BYTES = 1 << 30
CAPTURE_LIMIT = 16 << 20
"""Bytes; a genuine capture has about 60 kilobytes."""
TARGET = "inf2"
"""What the packages are imported for: under this override the trap of NxD's hardware enum shows."""


class Found(msgspec.Struct, frozen=True):
    """``capture.json``: the profile's tables, facts for toolchain.toml, and what could not be found.

    ``computed`` holds defaults that are expressions; ``not_captured`` a reason by path.
    """

    profile: dict[str, Any]
    toolchain: dict[str, Any]
    versions: dict[str, str | None]
    computed: dict[str, str]
    not_captured: dict[str, str]


@dataclass(frozen=True)
class Captured:
    """What an image says about itself; ``image`` is the reference it was run by."""

    found: Found
    image: str
    simulated: bool


def run(image: str, place: Where, engine: Engine, settings: RunSettings, progress: Progress) -> Captured:
    """Capture ``image``, which ``place`` says how to run.

    Raises the errors of the engine and of the runner, and ``NOT_A_NEURON_IMAGE``; parts that cannot be found are no
    error.
    """
    with tempfile.TemporaryDirectory(prefix="aot-capture-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        jobs.make_ready(engine, directory, place, settings, progress, scratch_bytes=SCRATCH_BYTES)
        jobs.make_directories(directory)
        cache = directory / "cache"
        cache.mkdir()
        job = jobs.make_job(directory, cache, _document(), place, settings)
        result = once.run(engine, job, f"ask {image} about itself", progress)
        found = _read(job.output_dir / "capture.json")
        _refuse_others(found, image)
        return Captured(found, image, result.simulated)


def _refuse_others(found: Found, image: str) -> None:
    """An image of something else also describes itself, as lacking everything."""
    if not found.profile.get("neuron_config") and not found.profile.get("plugin"):
        raise AotError(
            ErrorId.NOT_A_NEURON_IMAGE,
            reason=f"{image} holds neither NxDI nor vLLM's Neuron plugin, as far as its Python can find",
            remedy="check the image's name, and its interpreter with --python",
            facts={"not_captured": found.not_captured},
        )


def _document() -> dict[str, Any]:
    return {
        "schema_version": jobs.SCHEMA_VERSION,
        "action": "capture",
        "target": TARGET,
        "model_path": "/models/none",
    }


def _read(path: Path) -> Found:
    """Raises ``RUNNER_DIED`` for a file that cannot be trusted; Python's JSON, because a default is Infinity."""
    problem = "it is a link, or far too large"
    try:
        if not path.is_symlink() and path.stat().st_size <= CAPTURE_LIMIT:
            return msgspec.convert(json.loads(path.read_bytes()), Found)
    except (OSError, ValueError) as reason:
        problem = str(reason)
    raise AotError(
        ErrorId.RUNNER_DIED,
        reason=f"what the image said about itself cannot be read: {problem}",
        remedy="run it again; if it happens again, report it with the log",
    )
