"""The film of a sitting (合成录像, OLR-24, AV-4): one H.264/AAC MP4 out of the recorded tracks, timed by the record clock.

Every picture and every sample is asked for by its place on the record clock, never by counting packets: so sound and picture
keep together however long the sitting is. Runs in a thread of low priority of its own; decoding and encoding let go of the
interpreter, and the jobs role goes on renewing its lease.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import av
import numpy as np

from hearing.access import may_have
from record.access import Classes
from record.course import Course
from record.film_layout import HEIGHT, WIDTH
from record.film_plan import FILM_CLASS, FilmPlan, Scene
from record.film_scene import PageOf, Scenery
from record.film_sound import Mixer, Sound
from record.film_tracks import PER_MS, RATE_HZ, AudioFeed, Fetch, VideoFeed
from record.model import Material, Segment

NICE = 15
VIDEO_OPTIONS = {"preset": "veryfast", "crf": "25", "tune": "stillimage"}
KEYFRAME_S = 4  # a player seeks to within this much at once
AUDIO_BPS = 64_000
_BT601 = 6  # SMPTE 170M (ITU-T H.273): cameras and canvas alike
_LIMITED_RANGE = 1


class Stopped(Exception):
    """The film was given up before its end, because the job is being cancelled."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a film is made of. `fetch`, `page_of` and `progress` are called in the film's thread and may block it."""

    material: Material
    course: Course
    plan: FilmPlan
    zone: ZoneInfo
    fetch: Fetch
    page_of: PageOf
    progress: Callable[[float], None]
    """Told the part that is done (0 … 1) about once a second of film; may raise Stopped, may wait."""
    nice: int = NICE


def compose(source: Source, path: str) -> None:
    """Write the film to `path`. Raises Stopped, OSError (disk full), and what `fetch` raises."""
    _yield_to_others(source.nice)
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        _Film(source, container).run()


def _yield_to_others(nice: int) -> None:
    """Linux gives each thread a priority of its own (setpriority(2)); those of the encoder inherit it."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)


def shown_segments(material: Material, course: Course) -> dict[str, list[Segment]]:
    """By track, what the film may show: nothing stricter than FILM_CLASS, by the orders of today."""
    classes = Classes(course, material.orders)
    return {
        track_id: [segment for segment in segments if may_have(FILM_CLASS, classes.of_segment(segment))]
        for track_id, segments in material.tracks().items()
    }


class _Film:
    """One run: scene by scene, picture by picture, each with the sound up to the next."""

    def __init__(self, source: Source, container: Any) -> None:
        self._source, self._container = source, container
        self._video, self._audio = _video_stream(container, source.plan.fps), _audio_stream(container)
        shown = shown_segments(source.material, source.course)
        self._videos = {track: VideoFeed(some, source.fetch) for track, some in shown.items() if not track.endswith("-audio")}
        heard = [some for track, some in shown.items() if track.endswith("-audio") and some]
        sounds = {some[0].participant_id: AudioFeed(some, source.fetch) for some in heard}
        self._mixer = Mixer(sounds)
        self._scenery = Scenery(source.material, source.course, source.plan, source.page_of, source.zone)
        self._sampled = 0

    def run(self) -> None:
        for scene in self._source.plan.scenes:
            for frame in range(scene.frames):
                self._picture(scene, frame)
        for stream in (self._video, self._audio):
            self._container.mux(stream.encode(None))

    def _picture(self, scene: Scene, index: int) -> None:
        plan = self._source.plan
        number = scene.first + index
        count = (number + 1) * RATE_HZ // plan.fps - self._sampled
        if scene.card:
            sound = np.zeros(count, np.float32)
            self._scenery.card(scene, scene.card)
        else:
            t_ms = scene.t0_ms + index * 1000 // plan.fps
            start = scene.t0_ms * PER_MS + self._sampled - scene.first * RATE_HZ // plan.fps
            sound = self._mixer.read(start, count)
            self._scenery.court(t_ms, self._videos, self._mixer)
        self._encode(number, sound)
        if number % plan.fps == 0:
            self._source.progress(number / plan.frames)

    def _encode(self, number: int, sound: Sound) -> None:
        picture = self._scenery.canvas.frame()
        picture.pts, picture.time_base = number, Fraction(1, self._source.plan.fps)
        self._container.mux(self._video.encode(picture))
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._sampled, Fraction(1, RATE_HZ)
        self._sampled += len(sound)
        self._container.mux(self._audio.encode(frame))


def _video_stream(container: Any, fps: int) -> Any:
    stream = container.add_stream("libx264", rate=fps, options=VIDEO_OPTIONS)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context = stream.codec_context
    context.gop_size, context.thread_count = KEYFRAME_S * fps, 2
    context.colorspace, context.color_range = _BT601, _LIMITED_RANGE
    context.color_primaries = context.color_trc = _BT601
    return stream


def _audio_stream(container: Any) -> Any:
    stream = container.add_stream("aac", rate=RATE_HZ, layout="mono")
    stream.codec_context.bit_rate = AUDIO_BPS
    return stream
