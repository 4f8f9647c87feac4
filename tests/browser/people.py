"""People in real Chromium: one process each, because the file that feeds the microphone is a flag of the process."""

from __future__ import annotations

import os
import shutil
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import av
import numpy as np
import pytest
from playwright.async_api import Browser, Page, Playwright

RATE_HZ = 16_000
PICTURE = (160, 120)

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection",
)  # fmt: skip

REMEMBER_CONNECTIONS = """
(() => {
  const Original = window.RTCPeerConnection;
  window.__connections = [];
  window.RTCPeerConnection = class extends Original {
    constructor(...args) {
      super(...args);
      this.__sources = {};
      this.addEventListener("track", (event) => {
        this.__sources[event.track.id] = event.streams[0]?.id ?? "";
      });
      window.__connections.push(this);
    }
  };
})();
"""
"""Keeps every connection the page makes, so that a test can read its statistics."""

STREAMS = """
async () => {
  const found = [];
  for (const connection of window.__connections) {
    if (connection.connectionState === "closed") continue;
    for (const report of (await connection.getStats()).values()) {
      if (report.type !== "inbound-rtp" && report.type !== "outbound-rtp") continue;
      found.push({ ...report, source: connection.__sources[report.trackIdentifier] ?? "" });
    }
  }
  return found;
}
"""
"""Every row of getStats about a stream, either way; `source` is whose track it is."""

RECEIVED = """
async () => {
  const found = {};
  for (const connection of window.__connections) {
    if (connection.connectionState !== "connected") continue;
    for (const report of (await connection.getStats()).values()) {
      if (report.type !== "inbound-rtp") continue;
      const source = connection.__sources[report.trackIdentifier];
      if (!source) continue;
      found[source] ??= { frames: 0, energy: 0 };
      found[source].frames += report.framesDecoded ?? 0;
      found[source].energy += report.totalAudioEnergy ?? 0;
    }
  }
  return found;
}
"""


def missing_browser() -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail("Chromium is missing, and CI must have it")
    pytest.skip("Chromium is missing")


def chromium() -> str:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or missing_browser()


def write_microphone(path: Path, voices: list[Path], begins_s: float, length_s: float) -> None:
    """A WAV of `length_s` seconds in which the voices speak from `begins_s` on; Chromium plays it again and again."""
    samples = np.zeros(int(length_s * RATE_HZ), dtype=np.int16)
    at = int(begins_s * RATE_HZ)
    for voice in voices:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        with av.open(str(voice)) as container:
            frames = [f.to_ndarray()[0] for decoded in container.decode(audio=0) for f in resampler.resample(decoded)]
        spoken = np.concatenate(frames)[: len(samples) - at]
        samples[at : at + len(spoken)] = spoken
        at += len(spoken) + RATE_HZ
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())


def write_camera(path: Path, size: tuple[int, int] = PICTURE, frames_per_s: int = 5) -> None:
    """A moving picture; a small one unless asked otherwise, so that four browsers fit two cores."""
    width, height = size
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{frames_per_s}:1 Ip A1:1 C420\n".encode())
        for step in range(10):
            luma = np.tile((np.arange(width) + step * 16) % 200 + 20, (height, 1)).astype(np.uint8)
            file.write(b"FRAME\n" + luma.tobytes() + bytes([128]) * (width * height // 2))


@dataclass(slots=True)
class Person:
    """One person with their own browser. `problems` are errors the page threw."""

    key: str
    participant_id: str
    browser: Browser
    page: Page
    problems: list[str]

    def locate(self, testid: str) -> Any:
        return self.page.get_by_test_id(testid)

    async def received(self) -> dict[str, dict[str, float]]:
        """Decoded frames and audio energy by source, of the connections that are up."""
        found: dict[str, dict[str, float]] = await self.page.evaluate(RECEIVED)
        return found

    async def streams(self, kind: str, *, sent: bool = False, source: str | None = None) -> list[dict[str, Any]]:
        """Rows of getStats about the streams of this kind, received (of `source` only) or sent."""
        wanted = "outbound-rtp" if sent else "inbound-rtp"
        rows: list[dict[str, Any]] = await self.page.evaluate(STREAMS)
        return [row for row in rows if row["type"] == wanted and row["kind"] == kind and source in {None, row["source"]}]


async def launch(
    playwright: Playwright, key: str, participant_id: str, microphone: Path | None, camera: Path, program: str | None = None
) -> Person:
    """A browser of its own. Without `microphone` it beeps once a second; `program` starts Chromium in its own way."""
    files = [f"--use-file-for-fake-video-capture={camera}"]
    if microphone is not None:
        files.append(f"--use-file-for-fake-audio-capture={microphone}")
    browser = await playwright.chromium.launch(executable_path=program or chromium(), args=[*FLAGS, *files])
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN", timezone_id="Asia/Shanghai")
    await context.add_init_script(REMEMBER_CONNECTIONS)
    page = await context.new_page()
    page.set_default_timeout(45_000)
    person = Person(key, participant_id, browser, page, [])
    page.on("pageerror", lambda error: person.problems.append(str(error)))
    return person
