"""Which graph is being compiled, read off NxD's compile directory.

NxD gives every submodel and bucket a directory ``<submodel>/_tp0_bk<N>`` (``trace/model_builder.py``). libneuronxla
puts ``model.MODULE_*.hlo_module.pb`` there when it starts the compiler; NxD writes ``graph.neff`` when it is done.
Watching the files needs no log format and no patch. Best effort: a graph found in the compile cache only ever ends.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from .events import Events

INTERVAL_SECONDS = 0.2


class GraphWatcher:
    """Context manager that emits ``graph`` events while a compile runs."""

    def __init__(self, directory: str, events: Events) -> None:
        self._directory = Path(directory)
        self._events = events
        self._started: dict[Path, float] = {}
        self._ended: set[Path] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="aot-graphs", daemon=True)

    def __enter__(self) -> GraphWatcher:
        """Start watching."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Report what happened since the last look; what started and did not end has failed, if anything has."""
        self._stop.set()
        self._thread.join()
        self._scan()
        if kind is not None:
            for graph in sorted(set(self._started) - self._ended):
                self._emit(graph, "failed")

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL_SECONDS):
            self._scan()

    def _scan(self) -> None:
        try:
            graphs = sorted(self._directory.glob("*/_tp0_bk*"))
        except OSError:  # NxD empties the directory at the start of a build
            return
        for graph in graphs:
            if graph not in self._started and any(graph.glob("*.hlo_module.pb")):
                self._started[graph] = time.monotonic()
                self._emit(graph, "start")
            if graph not in self._ended and (graph / "graph.neff").exists():
                self._ended.add(graph)
                self._emit(graph, "end")

    def _emit(self, graph: Path, status: str) -> None:
        fields: dict[str, float] = {}
        if status != "start" and graph in self._started:
            fields["seconds"] = round(time.monotonic() - self._started[graph], 3)
        self._events.emit("graph", graph=graph.parent.name, bucket=graph.name, status=status, **fields)
