"""The name under which the simulator's image is looked for: it changes with every byte that goes into the image."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = "aot-simulator"


def reference(simulator_dir: Path) -> str:
    """``aot-simulator:<12 hex digits>`` for the files as they are: an image of older files is never run by mistake."""
    digest = hashlib.sha256()
    for path in sorted(simulator_dir.rglob("*")):
        if "__pycache__" in path.parts or not path.is_file():
            continue
        mode = "x" if os.access(path, os.X_OK) else "-"
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(simulator_dir).as_posix()}\0{mode}\0{content}\n".encode())
    return f"{REPOSITORY}:{digest.hexdigest()[:12]}"
