"""Bound the number of compilers that run at once.

NxD's ``ModelBuilder.trace`` compiles all buckets but the first in ``concurrent.futures.ThreadPoolExecutor()`` of
default size (up to 32 compilers at once, each of which may take tens of gigabytes) and offers no knob for it. Only the
name that this one module sees is replaced; pools elsewhere keep their size. Does not change any NEFF.
"""

from __future__ import annotations

import concurrent.futures
import types
from typing import TYPE_CHECKING, Any

from ..failures import PatchTargetMissing
from . import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

ID = "compile-jobs"
TARGET = "neuronx_distributed.trace.model_builder.concurrent"


def apply(parameters: dict[str, Any], note: Callable[[dict[str, Any], str], None]) -> bool:  # noqa: ARG001 (one shape)
    """Give the module a ``concurrent.futures`` whose thread pools have at most ``parameters["jobs"]`` threads."""
    module, attribute, current = resolve(TARGET)
    if getattr(current, "futures", None) is not concurrent.futures:
        raise PatchTargetMissing(TARGET, "is not the standard library's concurrent package")
    setattr(module, attribute, _bounded(parameters["jobs"]))
    return True


def _bounded(jobs: int) -> types.SimpleNamespace:
    class BoundedThreadPoolExecutor(concurrent.futures.ThreadPoolExecutor):
        def __init__(self, max_workers: int | None = None, *arguments: Any, **keywords: Any) -> None:
            super().__init__(min(max_workers or jobs, jobs), *arguments, **keywords)

    # dir() and not __dict__: ThreadPoolExecutor itself is loaded lazily by concurrent.futures.
    futures = types.SimpleNamespace(**{name: getattr(concurrent.futures, name) for name in concurrent.futures.__all__})
    futures.ThreadPoolExecutor = BoundedThreadPoolExecutor
    return types.SimpleNamespace(futures=futures)
