"""Where speech is cut: at a pause, or at the longest allowed length. Times are milliseconds from where listening began."""

from __future__ import annotations

from dataclasses import dataclass, field

SPEECH = 0.5  # probability from which a frame starts speech
STILL_SPEECH = 0.35  # above which speech that has begun goes on
SURE = 0.75  # what the network gives to real voice, and to music, keys and coughs hardly ever
SURE_MS = 96  # of it at least in a stretch that is taken for speech: real stretches had 380 ms or more, also at 0 dB of noise
BREATH_MS = 96  # a pause that long is a fair place to cut speech that does not end


@dataclass(frozen=True, slots=True)
class CutRule:
    """When to cut. Padding keeps the first and last sounds whole; it never reaches into a neighbouring window."""

    pause_ms: int = 500
    longest_ms: int = 10_000
    pad_ms: int = 200


# The cost of a recognition is mostly per call, so under load fewer and longer cuts carry more speech.
USUAL = CutRule()
BUSY = CutRule(pause_ms=800, longest_ms=18_000)
OVERLOADED = CutRule(pause_ms=1200, longest_ms=26_000)
BUSY_FROM_MS = 8_000
OVERLOADED_FROM_MS = 20_000


def rule_for(waiting_ms: int, current: CutRule) -> CutRule:
    """The rule to cut by while that much speech waits for recognition; it eases only at half the load that set it."""
    if waiting_ms >= OVERLOADED_FROM_MS or (current == OVERLOADED and waiting_ms >= OVERLOADED_FROM_MS // 2):
        return OVERLOADED
    if waiting_ms >= BUSY_FROM_MS or (current != USUAL and waiting_ms >= BUSY_FROM_MS // 2):
        return BUSY
    return USUAL


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch to recognise, padding included; `voiced_ms` of it is speech."""

    t0_ms: int
    t1_ms: int
    voiced_ms: int
    sure_ms: int = field(default=0, compare=False)

    @property
    def is_speech(self) -> bool:
        """Whether any of it surely is voice; a keyboard or a cough deceives the network for moments, and only by half."""
        return self.sure_ms >= SURE_MS


class Cutter:
    """Turns speech probabilities of equal frames into windows, in order, never overlapping."""

    def __init__(self, frame_ms: int) -> None:
        self._frame_ms = frame_ms
        self._now_ms = 0
        self._free_from_ms = 0  # end of the last window
        self._start_ms: int | None = None
        self._voice_end_ms = 0
        self._voiced_ms = 0
        self._sure_ms = 0
        self._breath: tuple[int, int, int, int] | None = None  # end of voice, voice again from, voiced and sure until then

    @property
    def speaking(self) -> bool:
        return self._start_ms is not None

    @property
    def surely_speaking(self) -> bool:
        """Whether what is being said is surely voice."""
        return self._sure_ms >= SURE_MS

    @property
    def needed_from_ms(self) -> int:
        """Sound before this time will not be part of any later window, whatever the padding up to 200 ms."""
        return max(self._free_from_ms, (self._now_ms if self._start_ms is None else self._start_ms) - USUAL.pad_ms)

    def push(self, probability: float, rule: CutRule) -> Window | None:
        """Hear one frame; gives the window that it completes, if any."""
        begins_ms, self._now_ms = self._now_ms, self._now_ms + self._frame_ms
        if self._start_ms is None:
            if probability >= SPEECH:
                self._start_ms = begins_ms
                self._hear_voice(begins_ms, probability)
            return None
        if probability >= STILL_SPEECH:
            self._hear_voice(begins_ms, probability)
        if self._now_ms - self._voice_end_ms >= rule.pause_ms:
            return self._close(rule.pad_ms)
        if self._now_ms - self._start_ms >= rule.longest_ms:
            return self._cut_long(rule.pad_ms)
        return None

    def finish(self, pad_ms: int = USUAL.pad_ms) -> Window | None:
        """The sound ends here: what is being said is complete."""
        return self._close(pad_ms) if self._start_ms is not None else None

    def _hear_voice(self, begins_ms: int, probability: float) -> None:
        if self._voiced_ms and begins_ms - self._voice_end_ms >= BREATH_MS:
            self._breath = (self._voice_end_ms, begins_ms, self._voiced_ms, self._sure_ms)
        self._voice_end_ms = self._now_ms
        self._voiced_ms += self._frame_ms
        self._sure_ms += self._frame_ms if probability >= SURE else 0

    def _close(self, pad_ms: int) -> Window:
        window = self._window(min(self._now_ms, self._voice_end_ms + pad_ms), self._voiced_ms, self._sure_ms, pad_ms)
        self._start_ms, self._voiced_ms, self._sure_ms, self._breath = None, 0, 0, None
        return window

    def _cut_long(self, pad_ms: int) -> Window:
        """Cut in the last breath taken, else right here, and go on listening to the rest."""
        if self._breath is None:
            window = self._window(self._now_ms, self._voiced_ms, self._sure_ms, pad_ms)
            self._start_ms, self._voiced_ms = self._now_ms, 0
            self._sure_ms = min(self._sure_ms, SURE_MS)  # what goes on from speech is speech
            self._voice_end_ms = self._now_ms
            return window
        voice_end_ms, again_ms, voiced_ms, sure_ms = self._breath
        middle_ms = (voice_end_ms + again_ms) // 2
        window = self._window(min(middle_ms, voice_end_ms + pad_ms), voiced_ms, sure_ms, pad_ms)
        self._start_ms, self._breath = again_ms, None
        self._voiced_ms = self._voiced_ms - voiced_ms
        self._sure_ms = max(self._sure_ms - sure_ms, min(sure_ms, SURE_MS))
        return window

    def _window(self, t1_ms: int, voiced_ms: int, sure_ms: int, pad_ms: int) -> Window:
        assert self._start_ms is not None
        t0_ms = max(self._free_from_ms, self._start_ms - pad_ms)
        self._free_from_ms = t1_ms
        return Window(t0_ms, t1_ms, voiced_ms, sure_ms)
