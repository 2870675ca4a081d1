"""Bytes for people."""

from __future__ import annotations


def size(count: int) -> str:
    """Bytes in powers of 1024: ``512 B``, ``23.5 GiB``."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
