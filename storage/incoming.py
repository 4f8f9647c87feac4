"""What comes in is hashed whole before it goes anywhere: a source that breaks off leaves nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

_Bytes = bytes  # Incoming has a field of that name
CHUNK_BYTES = 256 * 1024
IN_MEMORY_BYTES = 4 * 1024 * 1024  # larger ones wait in an unnamed file


@dataclass(frozen=True, slots=True)
class Incoming:
    """Bytes that are here whole; `file` stands at no certain place."""

    file: IO[bytes]
    bytes: int
    sha256: str

    async def stream(self) -> AsyncIterator[_Bytes]:
        """From the beginning, in chunks."""
        self.file.seek(0)
        while chunk := await asyncio.to_thread(self.file.read, CHUNK_BYTES):
            yield chunk


@asynccontextmanager
async def collected(data: AsyncIterator[bytes] | bytes) -> AsyncIterator[Incoming]:
    """Everything of `data`, gone again at the end of the block."""
    if isinstance(data, bytes):
        digest = await asyncio.to_thread(hashlib.sha256, data)
        yield Incoming(io.BytesIO(data), len(data), digest.hexdigest())  # BytesIO shares the bytes: no second copy
        return
    digest, size = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as file:
        async for chunk in chunks_of(data):
            digest.update(chunk)
            size += len(chunk)
            await asyncio.to_thread(file.write, chunk)
        yield Incoming(file, size, digest.hexdigest())


async def chunks_of(data: AsyncIterator[bytes] | bytes) -> AsyncIterator[bytes]:
    """Bytes and streams alike, as a stream."""
    if isinstance(data, bytes):
        yield data
        return
    async for chunk in data:
        yield chunk
