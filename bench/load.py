"""Send ready-made HTTP requests over many connections and read the answers; nothing else.

Requests are signed beforehand, so that what is measured is the service. At most one request is
under way per connection; a stop is by time or when the requests are used up.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Final, cast

import msgspec

ANSWER_WITHIN_S: Final = 30.0
TICK_S: Final = 0.001
"""How finely uvloop tells time."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What came back; latencies in seconds, sorted."""

    seconds: float
    answers: int
    done: int
    latencies: list[float]

    @property
    def rate(self) -> float:
        """Calls answered "done" per second."""
        return self.done / self.seconds

    def percentile(self, share: float) -> float:
        """The latency in seconds that `share` of the answers did not exceed."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


class _Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next request."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sent_at = 0.0
        self.idle = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A loop's own class of transport need not derive from asyncio.Transport.
        self._transport = cast("asyncio.Transport", transport)
        self._load.ready(self)

    def send(self, request: bytes, due_at: float) -> None:
        """Send one request; its latency counts from `due_at`."""
        self.idle = False
        self._sent_at = due_at
        if self._transport is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) < length:
            return
        self._buffer = b""
        self.idle = True
        self._load.answered(rest, time.perf_counter() - self._sent_at)
        self._load.ready(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(exc)


class _Load:
    """Hands requests to connections that are free, at once or at a steady pace."""

    def __init__(
        self,
        requests: Iterator[bytes],
        done: bytes,
        per_second: float | None,
        count: int | None = None,
    ) -> None:
        self._count = count
        self.all_answered = asyncio.Event()
        self._requests = requests
        self._done_mark = done
        self._per_second = per_second
        self._free: list[_Connection] = []
        self._stopped = False
        self.under_way = 0
        self.answers = 0
        self.done = 0
        self.broken = 0
        self.last_error: Exception | None = None
        self.quiet = asyncio.Event()
        self.latencies: list[float] = []

    def ready(self, connection: _Connection) -> None:
        if self._per_second is None:
            self._next(connection, time.perf_counter())
        else:
            self._free.append(connection)

    def _next(self, connection: _Connection, due_at: float) -> None:
        request = None if self._stopped else next(self._requests, None)
        if request is None:
            self._stopped = True
            return
        self.under_way += 1
        self.quiet.clear()
        connection.send(request, due_at)

    def answered(self, body: bytes, latency: float) -> None:
        self.under_way -= 1
        if not self.under_way:
            self.quiet.set()
        self.answers += 1
        self.latencies.append(latency)
        if self.answers == self._count:
            self.all_answered.set()
        if self._done_mark in body:
            self.done += 1

    def lost(self, error: Exception | None) -> None:
        """A connection ended; before the end of the run that is a fault."""
        self.broken += 1
        self.last_error = error

    def stop(self) -> None:
        self._stopped = True

    async def pace(self, seconds: float) -> None:
        """Start requests at even distances; one that finds no free connection waits and is late.

        Ends early where `count` requests were asked for and all are answered.
        """
        if self._per_second is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.all_answered.wait(), seconds)
            return
        start = time.perf_counter()
        count = 0
        while (now := time.perf_counter()) - start < seconds:
            while self._free and start + count / self._per_second <= now:
                self._next(self._free.pop(), start + count / self._per_second)
                count += 1
            if self.all_answered.is_set():
                return
            due_in = start + count / self._per_second - now
            # Never less than the loop's clock can tell: it would take a core to itself.
            await asyncio.sleep(max(TICK_S, due_in))


async def run(
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int,
    seconds: float,
    done: bytes,
    per_second: float | None = None,
    count: int | None = None,
) -> Measured:
    """Load the service on this machine's loopback for `seconds`.

    `done` is a piece of the body of an answer that acknowledges. With `per_second` requests start
    at that pace and latency counts from when each was due. Ends after `count` answers, if given.
    Raises RuntimeError where connections break or answers do not come.
    """
    load = _Load(requests, done, per_second, count)
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    opened = [
        await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await load.pace(seconds)
    elapsed = time.perf_counter() - start
    done_in_time, answers_in_time = load.done, load.answers
    load.stop()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(load.quiet.wait(), ANSWER_WITHIN_S)
    broken, error = load.broken, load.last_error
    for transport, _ in opened:
        transport.close()
    if broken or load.under_way:
        message = f"{broken} connections broke, {load.under_way} calls had no answer ({error})"
        raise RuntimeError(message)
    return Measured(
        seconds=elapsed,
        answers=answers_in_time,
        done=done_in_time,
        latencies=sorted(load.latencies),
    )
