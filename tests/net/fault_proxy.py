"""A TCP proxy before a server that does to its connections what networks and servers do: on its own thread, steered by fields."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CHUNK_BYTES = 16 * 1024
XML = b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>storm</Message></Error>'


@dataclass
class FaultProxy:
    """All fields may be changed at any time; connections that are open follow."""

    target: tuple[str, int]
    delay_s: float = 0.0  # before each piece, both ways
    bytes_per_s: float = 0.0  # of all connections together, each way; 0: as fast as it goes
    cut_after_bytes: int = 0  # of what a client sends on one connection, then reset; 0: never
    cuts: int = 1 << 30  # how often that happens
    answers: tuple[int, bytes] | None = None  # answered in place of the server: status, S3 error code (b"": HTML)
    black_hole: bool = False  # connections are taken and never answered
    port: int = 0
    connections: int = 0
    uploaded_bytes: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: asyncio.Server | None = None
    _busy_until: dict[str, float] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    # --- steering, from any thread ---------------------------------------------------------

    def refuse(self) -> None:
        """The port is closed, open connections are reset."""
        self._do(self._stop())

    def restore(self) -> None:
        """Listen again, without any fault."""
        self.delay_s = self.bytes_per_s = 0.0
        self.cut_after_bytes, self.answers, self.black_hole = 0, None, False
        self._do(self._start())

    def reset_connections(self) -> None:
        self._do(self._reset())

    def _do(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _start(self) -> None:
        await self._reset()  # connections that a fault still holds
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset()

    async def _reset(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    # --- one connection --------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._serve_whole(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _serve_whole(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.black_hole:
            while await reader.read(CHUNK_BYTES):
                pass
            return
        if self.answers is not None:
            await self._answer(reader, writer, *self.answers)
            return
        up_reader, up_writer = await asyncio.open_connection(*self.target)
        self._writers.add(up_writer)
        ways = [
            asyncio.create_task(self._pump(reader, up_writer, "up")),
            asyncio.create_task(self._pump(up_reader, writer, "down")),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._writers.discard(up_writer)
            up_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        passed = 0
        while data := await reader.read(CHUNK_BYTES):
            if self.black_hole or self.answers is not None:  # a fault that began meanwhile: this connection is of no use
                return
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._take_turn(way, len(data))
            passed += len(data)
            if way == "up":
                self.uploaded_bytes += len(data)
                if self.cut_after_bytes and passed > self.cut_after_bytes and self.cuts > 0:
                    self.cuts -= 1
                    return
            writer.write(data)
            await writer.drain()

    async def _take_turn(self, way: str, size: int) -> None:
        if not self.bytes_per_s:
            return
        now = self._loop.time()
        begins = max(now, self._busy_until.get(way, now))
        self._busy_until[way] = begins + size / self.bytes_per_s
        await asyncio.sleep(self._busy_until[way] - now)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int, code: bytes) -> None:
        """Read one request whole and answer it, as an overloaded server or the balancer before it would."""
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = next((int(line.split(b":")[1]) for line in head.splitlines() if line.startswith(b"content-length:")), 0)
        await reader.readexactly(length)
        body, kind = (XML % code, b"application/xml") if code else (b"<h1>503</h1>", b"text/html")
        writer.write(
            b"HTTP/1.1 %d Storm\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            % (status, kind, len(body))
            + body
        )
        await writer.drain()


@contextmanager
def fault_proxy(target: str) -> Iterator[FaultProxy]:
    """A running proxy before `target` (host:port)."""
    host, _, port = target.rpartition(":")
    proxy = FaultProxy((host, int(port)))
    thread = threading.Thread(target=proxy._loop.run_forever, daemon=True)
    thread.start()
    proxy._do(proxy._start())
    try:
        yield proxy
    finally:
        proxy.refuse()
        proxy._loop.call_soon_threadsafe(proxy._loop.stop)
        thread.join(5)
