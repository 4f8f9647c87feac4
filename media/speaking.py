"""Who is speaking, from the level each audio packet carries (RFC 6464), with hysteresis against flicker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hearing.model import ParticipantId

LOUD_DBOV = -45  # speech at a usual distance is -40 to -15
QUIET_DBOV = -52
ON_AFTER_MS = 80.0
OFF_AFTER_MS = 700.0  # pauses between words are shorter
SPEECH_PACKET_BYTES = 60  # of 20 ms Opus: without a level, silence is what compresses well
LOUDNESS_MEMORY = 0.05  # weight of the newest packet while a voice fades: half after about 300 ms
SILENCE_DBOV = -127.0
LOUDER_DB = 6.0  # so much louder than one of the few must be who takes that place
RECENT_SPEAKERS = 3


class SpeechGate:
    """Turns levels into on and off; `speaking` is the present verdict."""

    __slots__ = ("_loud_since_ms", "_quiet_since_ms", "loudness_dbov", "speaking")

    def __init__(self) -> None:
        self.speaking = False
        self.loudness_dbov = SILENCE_DBOV  # rises at once, fades slowly
        self._loud_since_ms: float | None = None
        self._quiet_since_ms: float | None = None

    def on_level(self, dbov: int, now_ms: float) -> bool:
        """Take one packet's level (0 loudest, -127 silence); True when `speaking` changed."""
        self.loudness_dbov = max(float(dbov), self.loudness_dbov + LOUDNESS_MEMORY * (dbov - self.loudness_dbov))
        if dbov >= LOUD_DBOV:
            self._quiet_since_ms = None
            self._loud_since_ms = now_ms if self._loud_since_ms is None else self._loud_since_ms
            return not self.speaking and now_ms - self._loud_since_ms >= ON_AFTER_MS and self._turn(True)
        if dbov < QUIET_DBOV:
            self._loud_since_ms = None
            self._quiet_since_ms = now_ms if self._quiet_since_ms is None else self._quiet_since_ms
            return self.speaking and now_ms - self._quiet_since_ms >= OFF_AFTER_MS and self._turn(False)
        return False

    def silence(self) -> bool:
        """Nothing is forwarded any more; True when that is a change."""
        self._loud_since_ms = self._quiet_since_ms = None
        self.loudness_dbov = SILENCE_DBOV
        return self.speaking and self._turn(False)

    def _turn(self, speaking: bool) -> bool:
        self.speaking = speaking
        return True


def level_dbov(extension: bytes | None, payload_bytes: int) -> int:
    """The packet's level from the RFC 6464 extension, else a guess from the size of the Opus frame."""
    if extension:
        return -(extension[0] & 0x7F)
    return LOUD_DBOV if payload_bytes > SPEECH_PACKET_BYTES else -127


class RecentSpeakers:
    """The few who spoke last. Whoever is among them keeps the place until displaced: a dialogue changes nothing."""

    def __init__(self, size: int = RECENT_SPEAKERS) -> None:
        self._size = size
        self._last_ms: dict[ParticipantId, float] = {}

    def note(self, speaking: Iterable[ParticipantId], now_ms: float) -> None:
        """Those who speak now; called a few times a second."""
        for who in speaking:
            self._last_ms[who] = now_ms
        while len(self._last_ms) > self._size:
            del self._last_ms[min(self._last_ms, key=lambda who: self._last_ms[who])]

    @property
    def members(self) -> frozenset[ParticipantId]:
        return frozenset(self._last_ms)


class LoudestFew:
    """Whose sound is forwarded in a crowd: at most `size` besides those who are always heard."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.members: frozenset[ParticipantId] = frozenset()

    def update(
        self, loudness_dbov: Mapping[ParticipantId, float], always: frozenset[ParticipantId]
    ) -> frozenset[ParticipantId]:
        """Take everyone's loudness; the newly loud take the places of the quietest, if clearly louder."""
        few = [who for who in self.members if who in loudness_dbov and who not in always]
        rising = sorted((who for who in loudness_dbov if who not in always and who not in few), key=loudness_dbov.__getitem__)
        while rising and loudness_dbov[rising[-1]] > QUIET_DBOV:
            loudest = rising.pop()
            quietest = min(few, key=loudness_dbov.__getitem__, default=None)
            if len(few) < self._size:
                few.append(loudest)
            elif quietest is not None and loudness_dbov[loudest] > loudness_dbov[quietest] + LOUDER_DB:
                few[few.index(quietest)] = loudest
            else:
                break
        self.members = frozenset(few)
        return self.members
