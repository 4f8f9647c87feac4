"""One picture of the film as planes of bright and colour samples (I420): only what changes is drawn anew."""

from __future__ import annotations

import math
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from record.film_layout import Box
from record.film_letters import Colour

Plane = NDArray[np.uint8]


class Canvas:
    """The picture being drawn. Colours are ITU-R BT.601 throughout, as cameras send them; the stream says so."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._samples = np.zeros((height * 3 // 2, width), np.uint8)
        self._planes = _planes(self._samples, width, height)

    def frame(self) -> av.VideoFrame:
        """A copy, as the encoder takes it."""
        return av.VideoFrame.from_ndarray(self._samples, format="yuv420p")

    def fill(self, box: Box, colour: Colour) -> None:
        patch = _drawn(Image.new("RGB", (64, 64), colour))
        for plane, at, sample in zip(self._planes, _areas(box), patch, strict=True):
            plane[at] = sample[0, 0]

    def put(self, box: Box, image: Image.Image) -> None:
        """A drawn patch of exactly the box's size."""
        self._set(box, _drawn(image))

    def put_whole(self, box: Box, image: Image.Image, ground: Colour) -> None:
        """An image as large as it goes, all of it, in the middle of the box."""
        scale = min(box.width / image.width, box.height / image.height)
        width, height = (max(2, int(size * scale) // 2 * 2) for size in image.size)
        patch = Image.new("RGB", (box.width, box.height), ground)
        small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        patch.paste(small, ((box.width - width) // 2, (box.height - height) // 2))
        self.put(box, patch)

    def put_frame(self, box: Box, frame: av.VideoFrame, scaler: VideoReformatter) -> None:
        """A camera's picture: fills the box, what is too wide or too high is cut off at both sides alike."""
        scale = max(box.width / frame.width, box.height / frame.height)
        width, height = (_even_up(size * scale) for size in (frame.width, frame.height))
        scaled = _samples_of(_scaled(frame, scaler, max(width, box.width), max(height, box.height)))
        x, y = ((size - have) // 4 * 2 for size, have in ((width, box.width), (height, box.height)))
        inside = _areas(Box(max(0, x), max(0, y), box.width, box.height))
        self._set(box, tuple(plane[at] for plane, at in zip(scaled, inside, strict=True)))

    def put_frame_whole(self, box: Box, frame: av.VideoFrame, scaler: VideoReformatter, ground: Colour) -> None:
        """A picture that must be seen whole (a shared screen, a person large), in the middle of the box."""
        scale = min(box.width / frame.width, box.height / frame.height)
        width, height = (
            min(int(size * scale + 0.5) // 2 * 2, most) for size, most in ((frame.width, box.width), (frame.height, box.height))
        )
        if (width, height) != (box.width, box.height):
            self.fill(box, ground)
        place = Box(box.x + (box.width - width) // 4 * 2, box.y + (box.height - height) // 4 * 2, width, height)
        self._set(place, _samples_of(_scaled(frame, scaler, width, height)))

    def frame_round(self, box: Box, colour: Colour, edge: int) -> None:
        """A border just inside the box."""
        x, y, width, height = box
        for side in (
            Box(x, y, width, edge),
            Box(x, y + height - edge, width, edge),
            Box(x, y, edge, height),
            Box(x + width - edge, y, edge, height),
        ):
            self.fill(side, colour)

    def _set(self, box: Box, patch: tuple[Plane, ...]) -> None:
        for plane, at, samples in zip(self._planes, _areas(box), patch, strict=True):
            plane[at] = samples


def _scaled(frame: av.VideoFrame, scaler: VideoReformatter, width: int, height: int) -> av.VideoFrame:
    return scaler.reformat(frame, width=width, height=height, format="yuv420p", interpolation="BILINEAR")


def _drawn(image: Image.Image) -> tuple[Plane, ...]:
    return _samples_of(av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24"))


def _samples_of(frame: av.VideoFrame) -> tuple[Plane, ...]:
    whole: Any = frame if frame.format.name == "yuv420p" else frame.reformat(format="yuv420p")
    return _planes(whole.to_ndarray(), whole.width, whole.height)


def _planes(samples: Plane, width: int, height: int) -> tuple[Plane, ...]:
    flat, size = samples.reshape(-1), width * height
    half = (height // 2, width // 2)
    return flat[:size].reshape(height, width), flat[size : size * 5 // 4].reshape(half), flat[size * 5 // 4 :].reshape(half)


def _areas(box: Box) -> tuple[tuple[slice, slice], ...]:
    x, y, width, height = box
    full = (slice(y, y + height), slice(x, x + width))
    half = (slice(y // 2, (y + height) // 2), slice(x // 2, (x + width) // 2))
    return full, half, half


def _even_up(value: float) -> int:
    return math.ceil(value / 2 - 1e-6) * 2
