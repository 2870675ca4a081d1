"""The compiler's persistent cache, and removing from it what keeps a graph from ever being compiled again.

Layout (written by libneuronxla, shown in the SDK's "Neuron Persistent Cache" and profiling guides)::

    <cache>/neuronxcc-<version>/MODULE_<hash>+<flags>/
        compile_flags.json  model.hlo_module.pb(.gz)  model.done  model.neff        compiled
        compile_flags.json  model.hlo_module.pb(.gz)  model.done  model.log         failed
        ... no model.done                                                           being compiled, or interrupted

That ``model.log`` marks the failure, and is the text printed after "Got a cached failed neff", is an inference from
public logs (aws-neuron-sdk#1023; optimum-neuron#698, where a lookup asks for ``model.done``, then ``model.log``).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Iterator

State = Literal["compiled", "failed", "unfinished"]


@dataclass(frozen=True)
class Entry:
    """One module of the cache."""

    path: Path
    state: State

    @property
    def module(self) -> str:
        """``MODULE_<hash>+<flags>``."""
        return self.path.name


def entries(cache: Path) -> Iterator[Entry]:
    """All modules below a cache directory, wherever the compiler's version put them; none if it does not exist."""
    for path in sorted(cache.rglob("MODULE_*")):
        if path.is_dir() and not path.is_symlink():
            yield Entry(path, _state(path))


def _state(path: Path) -> State:
    neff = path / "model.neff"
    if (path / "model.log").is_file():
        return "failed"
    if (path / "model.done").is_file():
        return "compiled" if neff.is_file() and neff.stat().st_size > 0 else "failed"
    return "unfinished"


def purge_failed(cache: Path) -> list[str]:
    """Remove failed entries; returns their module names. Raises ``STORE_UNWRITABLE`` where one cannot be removed."""
    removed: list[str] = []
    for entry in list(entries(cache)):
        if entry.state != "failed":
            continue
        try:
            shutil.rmtree(entry.path)
        except OSError as problem:
            raise AotError(
                ErrorId.STORE_UNWRITABLE,
                reason=f"the compile cache keeps a failed entry that cannot be removed: {problem}",
                remedy=f"remove {entry.path} yourself, or use another cache directory",
            ) from problem
        removed.append(entry.module)
    return removed
