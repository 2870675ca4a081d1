"""Data shipped with the package: manifests and the simulator, in a wheel or in a checkout."""

from __future__ import annotations

import importlib.resources
from functools import cache
from pathlib import Path


@cache
def data_root() -> Path:
    """Directory holding ``manifests/`` and ``images/simulator/``.

    A wheel carries them as ``aot/_data`` (see ``force-include`` in pyproject.toml); an editable install reads the
    checkout itself. The package is always installed as plain files (pip unpacks wheels), so a real path exists; it is
    needed because a container engine can only mount paths.
    """
    package = Path(str(importlib.resources.files("aot")))
    packaged = package / "_data"
    return packaged if packaged.is_dir() else package.parent


def manifests() -> Path:
    """Toolchains, known errors, instances."""
    return data_root() / "manifests"


def simulator() -> Path:
    """The stand-in for the AWS image: ``packages/`` (Python), ``bin/neuronx-cc`` and a Dockerfile."""
    return data_root() / "images" / "simulator"


def runner() -> Path:
    """The package that runs inside the image; copied into every job directory."""
    return Path(str(importlib.resources.files("aot"))) / "runner"
