"""Make ``importlib.metadata`` report the simulated distributions with the versions of the current toolchain.

Installed at every start of Python in the simulator, so ``importlib.metadata`` itself is imported only when it is asked.
"""

import sys

from .toolchains import current


class Finder:
    """On ``sys.meta_path`` for ``find_distributions`` alone."""

    def find_spec(self, fullname, path=None, target=None):
        return None

    def find_distributions(self, context):
        toolchain = current()
        wanted = None if context.name is None else context.name.lower().replace("_", "-")
        for name in toolchain.versions:
            if wanted in (None, name):
                yield _distribution(name, toolchain.version(name))


def _distribution(name: str, version: str):
    import importlib.metadata

    class SimulatedDistribution(importlib.metadata.Distribution):
        def read_text(self, filename):
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: SIMULATED by aot\n"
            return text if filename == "METADATA" else None

        def locate_file(self, path):
            return path

    return SimulatedDistribution()


def install() -> None:
    """Put the finder before the others, once."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())
