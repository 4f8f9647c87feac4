"""What the load needs to know of a server under test, and what starting one has in common."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.sfu.clients import Publisher, Subscriber
from benchmarks.sfu.meter import pinned

START_WITHIN_S = 20.0


class Server(Protocol):
    """A server in its own process. Publishers join first; every subscriber then gets all of them."""

    @property
    def pid(self) -> int: ...

    @property
    def version(self) -> str: ...

    async def start(self, publishers: int, subscribers: int) -> None:
        """Start the process and open a room for so many."""

    async def publish(self, number: int, publisher: Publisher) -> None:
        """Connect; returns when the publisher's transport runs."""

    async def subscribe(self, number: int, subscriber: Subscriber) -> None: ...

    async def close(self) -> None: ...


class ServerProcess:
    """A program kept on one core, with its output in a file of `folder`."""

    def __init__(self, command: Sequence[str], core: int | None, folder: Path) -> None:
        self._command = pinned(core, command)
        self._output = folder / "output.txt"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """taskset replaces itself with the program, so this is the program's own id."""
        assert self._process is not None
        return self._process.pid

    async def start(self, port: int) -> None:
        """Return once somebody listens on `port`. Raises RuntimeError with the program's last words."""
        with self._output.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(*self._command, stdout=output, stderr=output)
        async with asyncio.timeout(START_WITHIN_S):
            while not await _listens(port):
                if self._process.returncode is not None:
                    raise RuntimeError(f"{self._command} ended at once:\n{self.last_words()}")
                await asyncio.sleep(0.1)

    def last_words(self) -> str:
        return self._output.read_text(errors="replace")[-2_000:]

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


async def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def own_address() -> str:
    """An address of this machine that is not loopback (Janus skips 127.0.0.1), else 127.0.0.1. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("198.51.100.1", 9))  # TEST-NET-2, RFC 5737
        except OSError:
            return "127.0.0.1"
        return str(one.getsockname()[0])
