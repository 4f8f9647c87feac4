"""A server of its own for one rehearsal: free ports, a temporary folder, `court serve` as a subprocess."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import aiohttp

from court.rehearsal.door import Credentials, load_credentials
from court.settings import PREFIX

READY_WITHIN_S = 180.0  # the first start joins the speech model's parts
STOP_WITHIN_S = 40.0


class ServerDied(Exception):
    """The temporary server did not come up; the message names its log."""


@dataclass(frozen=True, slots=True)
class TemporaryServer:
    base_url: str
    credentials: Credentials
    folder: Path


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(folder: Path, port: int) -> dict[str, str]:
    """Settings of the temporary server: the speech settings of this installation, everything else its own."""
    kept = {"COURT_SPEECH_MODEL_DIR", "COURT_SPEECH_THREADS", "COURT_CAPTIONS", "COURT_LOG_LEVEL"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) or name in kept}
    own = {
        "COURT_DATA": str(folder / "data"),
        "COURT_KEYS": str(folder / "keys"),
        "COURT_PORT": str(port),
        "COURT_HOST": "127.0.0.1",
        "COURT_FINALS": "off",  # the report is about the live draft, and the processor is the robots'
    }
    return {**inherited, **own, "COURT_DEMO": "true", "PYTHONUNBUFFERED": "1"}


@asynccontextmanager
async def temporary_server(
    folder: Path, *, captions: bool, settings: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[TemporaryServer]:
    """Start a server in `folder`, with further COURT_ `settings`; stops it cleanly. Raises ServerDied."""
    port = free_port()
    env = environment(folder, port) | ({} if captions else {"COURT_CAPTIONS": "false"}) | dict(settings)
    log = folder / "server.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "court", "serve", env=env, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )  # fmt: skip
    try:
        base_url = f"http://127.0.0.1:{port}"
        credentials_file = folder / "keys" / "demo.json"
        await _ready(process, base_url, folder / "data" / "run" / "ready", log)
        yield TemporaryServer(base_url, load_credentials(credentials_file), folder)
    finally:
        await _stop(process)


async def _ready(process: asyncio.subprocess.Process, base_url: str, ready_file: Path, log: Path) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN_S), aiohttp.ClientSession() as session:
            while not (ready_file.exists() and await _answers(session, base_url)):
                if process.returncode is not None:
                    raise ServerDied(f"临时服务器未能启动（退出码 {process.returncode}），日志：{log}")
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise ServerDied(f"临时服务器 {READY_WITHIN_S:.0f} 秒内没有应答，日志：{log}") from None


async def _answers(session: aiohttp.ClientSession, base_url: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(f"{base_url}/healthz", timeout=aiohttp.ClientTimeout(total=2)) as response:
            return response.status == 200
    return False


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
