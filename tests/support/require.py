"""Tests that need something of the machine: skipped where it is missing, failed where it was promised.

``AOT_REQUIRE="docker registry skopeo torch root"`` names what a machine promises; CI sets it, so that a test can never
disappear from a CI run unnoticed.
"""

from __future__ import annotations

import os
import shutil

import pytest


def require(name: str, available: bool, reason: str) -> None:
    """Go on when ``available``; otherwise skip with the reason, or fail if AOT_REQUIRE names ``name``."""
    if available:
        return
    if name in os.environ.get("AOT_REQUIRE", "").replace(",", " ").split():
        pytest.fail(f"AOT_REQUIRE names {name}, but {reason}", pytrace=False)
    pytest.skip(f"{name}: {reason}")


def require_root(program: str, purpose: str) -> None:
    """Go on as root with ``program`` on the PATH; ``purpose`` says what both are needed for."""
    able = os.geteuid() == 0 and shutil.which(program) is not None
    require("root", able, f"it takes root and {program} to {purpose}")
