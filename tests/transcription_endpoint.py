"""A stand-in for an OpenAI transcription endpoint, on loopback: it speaks the protocol and recognises nothing."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestServer

from transcripts.recognizer import Samples

ANSWER = {
    "text": "借条是真实的。",
    "segments": [{"text": "借条是真实的。", "avg_logprob": -0.25, "no_speech_prob": 0.125}],
    "words": [
        {"word": "借条", "start": 0.1, "end": 0.5},
        {"word": "是", "start": 0.5, "end": 0.7},
        {"word": "真实的", "start": 0.7, "end": 1.4},
    ],
}


@dataclass
class Endpoint:
    """What it will say, and what it was asked. `troubles` are statuses to answer first; `stuck` holds every answer back."""

    answer: Any = field(default_factory=lambda: dict(ANSWER))
    troubles: list[int] = field(default_factory=list)
    stuck: bool = False
    key: str = ""
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    heard: list[Samples] = field(default_factory=list)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        return app

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        if self.stuck:
            await asyncio.sleep(60)
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"error": {"message": "no"}}, status=401)
        form = await request.post()
        upload = form["file"]
        assert isinstance(upload, web.FileField)
        self.heard.append(_samples(upload.file.read()))
        self.asked.append({name: [str(value) for value in form.getall(name)] for name in form if name != "file"})
        if self.troubles:
            status = self.troubles.pop(0)
            headers = {"Location": "http://192.0.2.1/v1/audio/transcriptions"} if 300 <= status < 400 else {}
            return web.json_response({"error": {"message": "trouble"}}, status=status, headers=headers)
        return self.answer if isinstance(self.answer, web.Response) else web.json_response(self.answer)


def _samples(data: bytes) -> Samples:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        pcm = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return (pcm / 32767).astype(np.float32)


@asynccontextmanager
async def serving(endpoint: Endpoint) -> AsyncIterator[str]:
    """The base URL, …/v1, while the block runs."""
    async with TestServer(endpoint.application()) as server:
        yield str(server.make_url("/v1"))
