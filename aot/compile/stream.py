"""Following a container's two output streams from one thread while the clock is watched in another."""

from __future__ import annotations

import queue
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import docker.errors
import requests.exceptions

from aot.compile.lines import LineSplitter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

    from aot.compile.engine import LineSink

Chunk = tuple[bytes | None, bytes | None]
"""Bytes of standard output, bytes of standard error; one of them is None."""

BACKLOG = 64
"""Chunks read ahead of a slow sink; then the engine waits for us, and the container for the engine."""

CHUNK = 1 << 16

POLL_SECONDS = 0.25


HEADER = struct.Struct(">BxxxL")
"""Stream number and size before every chunk: docs.docker.com/reference/api/engine, ContainerAttach."""

STDERR = 2


def attach(client: DockerClient, container: str) -> ChunkReader:
    """Start to follow a container's output from now on."""
    stream: Any = client.api.attach_socket(container, params={"stdout": 1, "stderr": 1, "stream": 1, "logs": 0})
    below: Any = getattr(stream, "_sock", None)
    for each in (stream, below):
        if hasattr(each, "settimeout"):
            each.settimeout(None)  # a compile may be silent for longer than any request
    reader = ChunkReader(frames(stream))
    reader.start()
    return reader


def frames(stream: Any) -> Iterator[Chunk]:
    """Cut the multiplexed stream into chunks; ends where it ends.

    Not the SDK's own ``attach(stream=True)``: that polls the socket before every read, and over TLS a poll does not see
    what has been received and decrypted already, so a line would wait for the next one to arrive.
    """
    receive = stream.recv if hasattr(stream, "recv") else stream.read  # SSLSocket; SocketIO otherwise
    while header := _receive_all(receive, HEADER.size):
        number, left = HEADER.unpack(header)
        while left:
            data = receive(min(left, CHUNK))
            if not data:
                return
            left -= len(data)
            yield (None, data) if number == STDERR else (data, None)


def _receive_all(receive: Any, size: int) -> bytes:
    """Exactly ``size`` bytes, or none when the stream ended before."""
    data = b""
    while len(data) < size:
        more = receive(size - len(data))
        if not more:
            return b""
        data += more
    return data


class ChunkReader(threading.Thread):
    """Reads a multiplexed stream in the background, so that the caller can also look at the clock.

    A thread because no timeout works alike over a unix socket and TLS. It ends when the
    stream does, which removing the container brings about, or as soon as nobody wants its chunks any more.
    """

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        super().__init__(name="container-output", daemon=True)
        self._chunks = chunks
        self._queue: queue.Queue[Chunk | None] = queue.Queue(BACKLOG)
        self._abandoned = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Body of the thread."""
        try:
            for chunk in self._chunks:
                if not self._offer(chunk):
                    return
        except (OSError, ValueError, docker.errors.DockerException, requests.exceptions.RequestException) as error:
            self.error = error  # a broken connection; whether the container still runs is for the caller to find out
        self._offer(None)

    def next(self, timeout: float) -> Chunk | None:
        """The next chunk; None at the end. Raises ``queue.Empty`` when there is none in time."""
        return self._queue.get(timeout=timeout)

    def abandon(self) -> None:
        """Nobody will call ``next`` again."""
        self._abandoned.set()

    def _offer(self, chunk: Chunk | None) -> bool:
        while not self._abandoned.is_set():
            try:
                self._queue.put(chunk, timeout=POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


class Clock:
    """Elapsed seconds of one run, its deadline, and a tick per second for the sink."""

    def __init__(self, sink: LineSink, timeout: float | None) -> None:
        self._sink = sink
        self._timeout = timeout
        self._started = time.monotonic()
        self._next_tick = 1.0

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def check(self) -> bool:
        """Tick when due; True when the time is up."""
        elapsed = self.elapsed()
        if elapsed >= self._next_tick:
            self._sink.tick(elapsed)
            self._next_tick = elapsed + 1.0
        return self._timeout is not None and elapsed >= self._timeout


def deliver(reader: ChunkReader, sink: LineSink, clock: Clock) -> bool:
    """Hand lines to the sink until the stream ends; True when the time was up first."""
    stdout, stderr = LineSplitter(sink.stdout), LineSplitter(sink.stderr)
    try:
        while not clock.check():
            try:
                chunk = reader.next(POLL_SECONDS)
            except queue.Empty:
                continue
            if chunk is None:
                return False
            stdout.feed(chunk[0] or b"")
            stderr.feed(chunk[1] or b"")
        return True
    finally:
        reader.abandon()
        stdout.close()
        stderr.close()
