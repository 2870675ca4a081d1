"""The name under which the simulator's image is looked for: it changes with every byte that goes into the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aot.files import sha256_of_tree

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = "aot-simulator"


def reference(simulator_dir: Path) -> str:
    """``aot-simulator:<12 hex digits>`` for the files as they are: an image of older files is never run by mistake."""
    return f"{REPOSITORY}:{sha256_of_tree(simulator_dir)[:12]}"
