"""A real HTTP server on a real port that answers as told, or misbehaves as servers do."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeAlias

from providers import Answer, Call

Mischief: TypeAlias = Literal["hang", "reset", "garbage", "drip", "endless", "cut"]
Handler: TypeAlias = Callable[[Call], Answer | Mischief]
RESET: Final = struct.pack("ii", 1, 0)
DRIP_S: Final = 0.05


class Peer:
    """Keeps what it was asked; `handler` may be changed while it runs."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.calls: list[Call] = []
        self._arrived = asyncio.Event()
        self.at_once = 0
        self.at_once_most = 0
        self.free = asyncio.Event()
        """Cleared, it lets nobody have an answer."""
        self.free.set()
        self.address = ""

    async def called(self, times: int) -> None:
        """Until that many requests have arrived."""
        while len(self.calls) < times:
            self._arrived.clear()
            await self._arrived.wait()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection with one request, as HTTP/1.1."""
        self.at_once += 1
        self.at_once_most = max(self.at_once_most, self.at_once)
        try:
            call = await _read(reader)
            self.calls.append(call)
            self._arrived.set()
            answer = self.handler(call)
            await self.free.wait()
            await _write(writer, answer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = tuple((name, value.strip()) for name, _, value in (x.partition(":") for x in lines))
    path, _, query = target.partition("?")
    call = Call(method=method, path=path, raw_query=query.encode(), headers=headers)
    size = int(call.header("content-length") or 0)
    body = await reader.readexactly(size) if size else b""
    return Call(method=method, path=path, raw_query=query.encode(), headers=headers, body=body)


async def _write(writer: asyncio.StreamWriter, answer: Answer | Mischief) -> None:
    if isinstance(answer, Answer):
        head = f"HTTP/1.1 {answer.status} X\r\nContent-Type: {answer.media_type}\r\n"
        head += f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + answer.body)
        await writer.drain()
        return
    start = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    if answer == "hang":
        await asyncio.sleep(3600)
    elif answer == "reset":
        own: socket.socket = writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
    elif answer == "garbage":
        writer.write(b"\x00\xff this is no HTTP at all\r\n\r\n" * 3)
        await writer.drain()
    elif answer == "cut":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
        await writer.drain()
    else:
        writer.write(start)
        while True:
            writer.write(b"." if answer == "drip" else b"." * 65_536)
            await writer.drain()
            await asyncio.sleep(DRIP_S if answer == "drip" else 0)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Peer]:
    """Serve on a free port until the end of the block."""
    peer = Peer(handler)
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await peer.handle(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    peer.address = f"http://{host}:{port}"
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def free_address() -> str:
    """An address at which nobody listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"
