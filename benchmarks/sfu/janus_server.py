"""Janus' videoroom as a server under test, over its WebSocket API, with a configuration of its own in a temporary folder."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.sfu.clients import Publisher, Subscriber
from benchmarks.sfu.servers import ServerProcess, free_port

ROOM = 77
REPLY_WITHIN_S = 15.0
KEEPALIVE_EVERY_S = 20.0
PLUGIN = "janus.plugin.videoroom"
MODULES = Path("/usr/lib/x86_64-linux-gnu/janus")

MAIN = """
general: {{
  configs_folder = "{folder}"
  plugins_folder = "{modules}/plugins"
  transports_folder = "{modules}/transports"
  events_folder = "{modules}/events"
  loggers_folder = "{modules}/loggers"
  debug_level = 3
  {event_loops}
}}
nat: {{ ice_enforce_list = "{address}" }}
plugins: {{ disable = "{other_plugins}" }}
transports: {{ disable = "{other_transports}" }}
"""
WEBSOCKETS = """
general: {{ json = "compact", ws = true, ws_port = {port}, ws_ip = "127.0.0.1", wss = false }}
admin: {{ admin_ws = false }}
"""


def is_installed() -> bool:
    return shutil.which("janus") is not None and (MODULES / "transports" / "libjanus_websockets.so").exists()


class Janus:
    """Satisfies Server. `event_loops` None: Janus' default, one thread for each handle."""

    def __init__(self, address: str, core: int | None, folder: Path, *, event_loops: int | None) -> None:
        self._port = free_port()
        loops = f"event_loops = {event_loops}" if event_loops else ""
        (folder / "janus.jcfg").write_text(
            MAIN.format(
                folder=folder, modules=MODULES, event_loops=loops, address=address,
                other_plugins=_all_but("plugins", "libjanus_videoroom.so"),
                other_transports=_all_but("transports", "libjanus_websockets.so"),
            )
        )  # fmt: skip
        (folder / "janus.transport.websockets.jcfg").write_text(WEBSOCKETS.format(port=self._port))
        (folder / "janus.plugin.videoroom.jcfg").write_text("general: {}\n")
        command = ["janus", f"--configs-folder={folder}", f"--config={folder}/janus.jcfg", "--disable-colors"]
        self._process = ServerProcess(command, core, folder)
        self._api: JanusApi | None = None
        self._feeds: list[int] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def version(self) -> str:
        said = subprocess.run(["janus", "--help"], capture_output=True, text=True, check=False)
        number = re.search(r"\d+\.\d+\.\d+", said.stdout + said.stderr)
        return f"janus {number[0]}" if number else "janus"

    async def start(self, publishers: int, subscribers: int) -> None:
        del subscribers
        await self._process.start(self._port)
        self._api = await JanusApi.open(self._port)
        handle = await self._api.attach()
        await self._api.ask(
            handle,
            {"request": "create", "room": ROOM, "publishers": publishers, "bitrate": 2_000_000, "videocodec": "vp8",
             "audiocodec": "opus", "audiolevel_event": False, "notify_joining": False},
        )  # fmt: skip

    async def publish(self, number: int, publisher: Publisher) -> None:
        assert self._api is not None
        handle = await self._api.attach()
        joined = await self._api.ask(handle, {"request": "join", "ptype": "publisher", "room": ROOM, "display": f"p{number}"})
        self._feeds.append(joined["plugindata"]["data"]["id"])
        offer = await publisher.leg.offer()
        answer = await self._api.ask(handle, {"request": "publish"}, {"type": "offer", "sdp": offer})
        await publisher.leg.take_answer(answer["jsep"]["sdp"])

    async def subscribe(self, number: int, subscriber: Subscriber) -> None:
        del number
        assert self._api is not None
        handle = await self._api.attach()
        streams = [{"feed": feed} for feed in self._feeds]
        offered = await self._api.ask(handle, {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": streams})
        answer = await subscriber.leg.answer(offered["jsep"]["sdp"])
        await self._api.ask(handle, {"request": "start"}, {"type": "answer", "sdp": answer})
        await subscriber.leg.connect()

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()
        await self._process.close()


class JanusApi:
    """One session over the WebSocket transport; a request waits for its reply, past the mere "ack"."""

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self._socket = socket
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._id = 0
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._keep_alive())]

    @classmethod
    async def open(cls, port: int) -> JanusApi:
        session = aiohttp.ClientSession()
        socket = await session.ws_connect(f"ws://127.0.0.1:{port}/", protocols=["janus-protocol"])
        api = cls(session, socket)
        api._id = (await api._request({"janus": "create"}))["data"]["id"]
        return api

    async def attach(self) -> int:
        return int((await self._request({"janus": "attach", "plugin": PLUGIN}))["data"]["id"])

    async def ask(self, handle: int, body: dict[str, object], jsep: dict[str, str] | None = None) -> dict[str, Any]:
        """A message to the plugin; returns its event. Raises RuntimeError when Janus refuses."""
        message: dict[str, object] = {"janus": "message", "handle_id": handle, "body": body}
        return await self._request(message if jsep is None else {**message, "jsep": jsep})

    async def _request(self, message: dict[str, object]) -> dict[str, Any]:
        transaction = secrets.token_hex(8)
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[transaction] = reply
        await self._socket.send_json({**message, "transaction": transaction, **({"session_id": self._id} if self._id else {})})
        try:
            answer = await asyncio.wait_for(reply, REPLY_WITHIN_S)
        finally:
            del self._waiting[transaction]
        if problem := answer.get("error") or answer.get("plugindata", {}).get("data", {}).get("error"):
            raise RuntimeError(f"janus refused {message.get('body', message)}: {problem}")
        return answer

    async def _read(self) -> None:
        async for message in self._socket:
            said: dict[str, Any] = message.json()
            reply = self._waiting.get(said.get("transaction", ""))
            if reply is not None and not reply.done() and said["janus"] != "ack":
                reply.set_result(said)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE_EVERY_S)
            await self._socket.send_json({"janus": "keepalive", "session_id": self._id, "transaction": secrets.token_hex(8)})

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._socket.close()
        await self._session.close()


def _all_but(folder: str, wanted: str) -> str:
    return ",".join(sorted(path.name for path in (MODULES / folder).glob("*.so") if path.name != wanted))
