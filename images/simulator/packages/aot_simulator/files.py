"""Model files: a user cannot create ``/models``, so the simulator reads them below ``AOT_SIMULATOR_ROOT``."""

import json
import os
from pathlib import Path


def place(path: str) -> Path:
    """Where ``path`` of the pretended file system really is."""
    root = os.environ.get("AOT_SIMULATOR_ROOT", "")
    return Path(root + path) if root and os.path.isabs(path) else Path(path)  # noqa: PTH117


def read_config(model: str) -> dict:
    """``config.json`` of a model directory."""
    file = place(model) / "config.json"
    if not file.is_file():
        raise OSError(f"{model} does not appear to have a file named config.json (the simulator looked at {file})")
    with file.open(encoding="utf-8") as opened:
        return json.load(opened)
