"""The sound of the film: all tracks added on the record clock, held below full scale by a gentle limiter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hearing.model import ParticipantId
from record.film_tracks import RATE_HZ, AudioFeed

Sound = NDArray[np.float32]
CEILING = 0.89  # -1 dBFS: AAC may overshoot what it is given
RELEASE_PER_S = 0.5  # how fast a lowered gain comes back
HEARD = 0.008  # -42 dBFS, root mean square: louder is speech
HELD_MS = 600  # a speaker is marked so long after the last sound
TALKING_MS = 1000  # who is heard for so long is the one who talks; a cough is not


class Limiter:
    """One gain for all: down at once within the block, back slowly, so that nobody hears it work."""

    def __init__(self) -> None:
        self._gain = 1.0

    def limit(self, samples: Sound) -> Sound:
        """Same length, no sample above CEILING."""
        peak = float(np.max(np.abs(samples))) if len(samples) else 0.0
        wanted = min(1.0, CEILING / peak) if peak > 0 else 1.0
        before = self._gain
        rise = RELEASE_PER_S * len(samples) / RATE_HZ
        self._gain = wanted if wanted < before else min(wanted, before + rise)
        if before == self._gain == 1.0:
            return samples
        ramp = np.linspace(before, self._gain, len(samples), dtype=np.float32)
        limited: Sound = np.clip(samples * ramp, -CEILING, CEILING)
        return limited


class Mixer:
    """Reads every audio track in step; knows who is speaking."""

    def __init__(self, feeds: Mapping[ParticipantId, AudioFeed]) -> None:
        self._feeds = feeds
        self._limiter = Limiter()
        self._heard_ms: dict[ParticipantId, float] = {}
        self._since_ms: dict[ParticipantId, float] = {}
        self.talker: ParticipantId | None = None

    def read(self, start: int, count: int) -> Sound:
        """Samples [start, start + count) of the record clock."""
        mixed = np.zeros(count, np.float32)
        for person, feed in self._feeds.items():
            samples = feed.read(start, count)
            if samples is not None:
                mixed += samples
                if float(np.sqrt(np.mean(samples**2))) > HEARD:
                    self._hear(person, start * 1000 / RATE_HZ)
        return self._limiter.limit(mixed)

    def _hear(self, person: ParticipantId, t_ms: float) -> None:
        if t_ms - self._heard_ms.get(person, -HELD_MS) >= HELD_MS:
            self._since_ms[person] = t_ms
        self._heard_ms[person] = t_ms
        others = any(t_ms - heard_ms < HELD_MS for other, heard_ms in self._heard_ms.items() if other != person)
        if t_ms - self._since_ms[person] >= TALKING_MS and not (others and self.talker is not None):
            self.talker = person

    def speaking(self, t_ms: int) -> frozenset[ParticipantId]:
        """Who was heard just now."""
        return frozenset(person for person, heard_ms in self._heard_ms.items() if t_ms - heard_ms < HELD_MS)
