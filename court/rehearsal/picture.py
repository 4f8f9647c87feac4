"""The robots' picture: a small VP8 test picture whose clock can be read in every frame."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import av
import numpy as np
from av.video.frame import PictureType
from PIL import Image, ImageDraw

WIDTH, HEIGHT, FRAMES_PER_S = 160, 120, 5
TICKS_HZ = 90_000
BIT_RATE_BPS = 60_000


class TestPicture:
    """Draws and encodes one participant's picture. `label` is ASCII (the participant's key in the script); `scale` enlarges."""

    __test__ = False  # not a test class, whatever its name begins with

    def __init__(self, label: str, zone: ZoneInfo, scale: int = 1) -> None:
        self._label = label
        self._zone = zone
        self._scale = scale
        self._frames = 0
        self._encoder = av.CodecContext.create("libvpx", "w")
        self._encoder.width, self._encoder.height, self._encoder.pix_fmt = WIDTH * scale, HEIGHT * scale, "yuv420p"
        self._encoder.bit_rate = BIT_RATE_BPS * scale**2
        self._encoder.framerate = Fraction(FRAMES_PER_S)
        self._encoder.options = {
            "deadline": "realtime",
            "cpu-used": "8",
            "lag-in-frames": "0",
            "g": "9999",
            "error-resilient": "1",
        }

    def encode(self, at: datetime, *, keyframe: bool) -> bytes:
        """The frame of the moment `at`, as VP8."""
        frame = av.VideoFrame.from_ndarray(np.asarray(self._draw(at)), format="rgb24").reformat(format="yuv420p")
        frame.pts = self._frames
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        self._frames += 1
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))

    def _draw(self, at: datetime) -> Image.Image:
        image = Image.new("RGB", (WIDTH, HEIGHT), (38, 52, 84))
        draw = ImageDraw.Draw(image)
        local = at.astimezone(self._zone)
        draw.text((10, 20), self._label, fill=(244, 238, 224), font_size=16)
        draw.text((10, 55), f"{local:%H:%M:%S}.{local.microsecond // 100_000}", fill=(244, 238, 224), font_size=24)
        draw.rectangle((10, 100, 10 + (WIDTH - 20) * local.microsecond // 1_000_000, 108), fill=(176, 48, 48))
        return image.resize((WIDTH * self._scale, HEIGHT * self._scale)) if self._scale > 1 else image
