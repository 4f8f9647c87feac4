"""Sounds of a hearing in which nobody speaks, synthesised: what a recogniser must not turn into words.

No recording, so nobody's voice and no licence; the keyboard, the music and the coughs are models of the real thing and are
called so wherever their numbers stand. 48 kHz mono, made in pieces of a few seconds, the same for the same seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000
PIECE_S = 30
FADE_S = 0.02  # at both ends of a piece, so that joining pieces makes no click of its own

Sound = NDArray[np.float32]
Random = np.random.Generator


def pieces(kind: str, seconds: int, seed: int = 7) -> Iterator[Sound]:
    """So many seconds of a kind, in pieces."""
    fade = np.minimum(1, np.arange(int(FADE_S * RATE_HZ)) / (FADE_S * RATE_HZ))
    for number, start_s in enumerate(range(0, seconds, PIECE_S)):
        sound = KINDS[kind](np.random.default_rng([seed, number]), min(PIECE_S, seconds - start_s))
        sound[: len(fade)] *= fade
        sound[len(sound) - len(fade) :] *= fade[::-1]
        yield np.clip(sound, -1, 1).astype(np.float32)


def _silence(_rng: Random, seconds: int) -> Sound:
    return np.zeros(seconds * RATE_HZ)


def _room_tone(rng: Random, seconds: int) -> Sound:
    """A quiet room at about -55 dBFS: air conditioning that comes and goes, hum of the mains."""
    air = _coloured(rng, seconds, lambda hz: 1 / np.maximum(hz, 40)) * 0.0018
    time_s = _time(seconds)
    swell = 1 + 0.3 * np.sin(2 * np.pi * 0.07 * time_s + rng.uniform(0, 6))
    hum = sum(np.sin(2 * np.pi * hz * time_s) / number for number, hz in enumerate((50, 100, 150, 250), 1))
    return air * swell + 0.0005 * hum


def _white(level_dbfs: float) -> Callable[[Random, int], Sound]:
    return lambda rng, seconds: rng.normal(0, 10 ** (level_dbfs / 20), seconds * RATE_HZ)


def _music(rng: Random, seconds: int) -> Sound:
    """A melody with vibrato over chords and a bass, with a soft beat: waiting music from a telephone or a neighbour."""
    sound = np.zeros(seconds * RATE_HZ)
    chords = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))
    for bar in range(seconds // 2):
        chord = chords[bar % len(chords)]
        for note in chord:
            _add(sound, bar * 2.0, _tone(rng, 48 + note, 2.0, vibrato=0.001, harmonics=4) * 0.04)
        _add(sound, bar * 2.0, _tone(rng, 36 + chord[0], 1.8, vibrato=0.0, harmonics=3) * 0.07)
        for beat in range(4):
            pitch = 60 + int(rng.choice(chord)) + int(rng.choice((0, 0, 12)))
            _add(sound, bar * 2 + beat * 0.5, _tone(rng, pitch, float(rng.uniform(0.3, 0.6)), vibrato=0.012, harmonics=8) * 0.1)
            _add(sound, bar * 2 + beat * 0.5, _burst(rng, 0.05, ((6000, 0.02),)) * 0.02)
    return sound


def _clicks(rng: Random, seconds: int) -> Sound:
    """Switches, pens, a mouse, and bumps against the microphone."""
    sound = rng.normal(0, 0.0005, seconds * RATE_HZ)
    for at_s in _moments(rng, seconds, every_s=0.6):
        _add(sound, at_s, _burst(rng, 0.02, ((3500, 0.003), (1200, 0.005))) * rng.uniform(0.05, 0.5))
        if rng.random() < 0.3:
            _add(sound, at_s + 0.09, _burst(rng, 0.02, ((3000, 0.003),)) * 0.2)
        if rng.random() < 0.15:
            _add(sound, at_s, _burst(rng, 0.25, ((70, 0.06), (140, 0.03))) * 0.6)
    return sound


def _typing(rng: Random, seconds: int) -> Sound:
    """A keyboard in irregular rhythm: each stroke a knock going down and a lighter one coming up, in the desk's resonances."""
    sound = rng.normal(0, 0.0008, seconds * RATE_HZ)
    at_s = 0.2
    while at_s < seconds - 0.5:
        for _ in range(int(rng.integers(3, 14))):  # a word
            loud = rng.uniform(0.08, 0.3)
            resonances = ((rng.uniform(150, 260), 0.025), (rng.uniform(700, 1100), 0.012), (rng.uniform(2500, 4500), 0.005))
            _add(sound, at_s, _burst(rng, 0.09, resonances) * loud)
            _add(sound, at_s + rng.uniform(0.06, 0.11), _burst(rng, 0.05, resonances[1:]) * loud * 0.4)
            at_s += rng.gamma(4, 0.04)
        at_s += rng.uniform(0.15, 1.5)
    return sound


def _breathing(rng: Random, seconds: int) -> Sound:
    """Somebody close to the microphone who breathes, sniffs, coughs and clears the throat, and says nothing."""
    sound = rng.normal(0, 0.0006, seconds * RATE_HZ)
    at_s = 0.3
    while at_s < seconds - 4:
        length_s = rng.uniform(0.8, 1.6)
        _add(sound, at_s, _breath(rng, length_s, 900) * 0.02)
        _add(sound, at_s + length_s + 0.2, _breath(rng, length_s * 1.2, 500) * 0.03)
        at_s += 2.2 * length_s + rng.uniform(0.5, 1.5)
        if rng.random() < 0.35:
            for _ in range(int(rng.integers(1, 4))):
                _add(sound, at_s, _cough(rng))
                at_s += rng.uniform(0.35, 0.6)
    return sound


def _paper(rng: Random, seconds: int) -> Sound:
    """Sheets turned and laid down, a chair moved."""
    sound = rng.normal(0, 0.0006, seconds * RATE_HZ)
    for at_s in _moments(rng, seconds, every_s=1.5):
        length_s = rng.uniform(0.3, 1.2)
        crackle = _coloured(rng, length_s, lambda hz: (hz > 1200) * 1.0) * (rng.random(int(length_s * RATE_HZ)) < 0.02) * 0.8
        rustle = _coloured(rng, length_s, lambda hz: (hz > 900) / np.sqrt(np.maximum(hz, 1))) * 0.03
        _add(sound, at_s, (crackle + rustle) * np.hanning(int(length_s * RATE_HZ)))
        if rng.random() < 0.2:
            _add(sound, at_s, _burst(rng, 0.6, ((110, 0.2), (230, 0.15), (480, 0.08))) * 0.15)
    return sound


KINDS: dict[str, Callable[[Random, int], Sound]] = {
    "silence": _silence, "room tone": _room_tone, "noise -40 dBFS": _white(-40), "noise -20 dBFS": _white(-20),
    "music": _music, "clicks": _clicks, "keyboard": _typing, "breath and cough": _breathing, "paper": _paper,
}  # fmt: skip


# --- parts ----------------------------------------------------------------------------------------


def _time(seconds: float) -> Sound:
    return np.arange(int(seconds * RATE_HZ)) / RATE_HZ


def _moments(rng: Random, seconds: int, every_s: float) -> Iterator[float]:
    at_s = float(rng.exponential(every_s))
    while at_s < seconds - 1.5:
        yield at_s
        at_s += 0.1 + float(rng.exponential(every_s))


def _add(sound: Sound, at_s: float, part: Sound) -> None:
    at = int(at_s * RATE_HZ)
    end = min(len(sound), at + len(part))
    sound[at:end] += part[: max(0, end - at)]


def _coloured(rng: Random, seconds: float, gain: Callable[[Sound], Sound]) -> Sound:
    """Noise with that gain over frequency, at unit loudness."""
    samples = int(seconds * RATE_HZ)
    spectrum = np.fft.rfft(rng.normal(0, 1, samples)) * gain(np.fft.rfftfreq(samples, 1 / RATE_HZ))
    sound = np.fft.irfft(spectrum, samples)
    return sound / max(1e-12, float(np.sqrt(np.mean(sound**2))))


def _burst(rng: Random, seconds: float, resonances: tuple[tuple[float, float], ...]) -> Sound:
    """A knock: noise of some milliseconds and what rings after it (frequency, decay in seconds)."""
    time_s = _time(seconds)
    knock = rng.normal(0, 1, len(time_s)) * np.exp(-time_s / 0.002)
    ring = sum(np.sin(2 * np.pi * hz * time_s + rng.uniform(0, 6)) * np.exp(-time_s / decay_s) for hz, decay_s in resonances)
    return (knock + ring) / (1 + len(resonances))


def _tone(rng: Random, midi: int, seconds: float, vibrato: float, harmonics: int) -> Sound:
    """A note of an instrument: harmonics, attack and decay, vibrato as a share of its pitch."""
    time_s = _time(seconds)
    hz = 440 * 2 ** ((midi - 69) / 12)
    depth = vibrato * np.minimum(1, time_s / 0.2)
    phase = 2 * np.pi * np.cumsum(hz * (1 + depth * np.sin(2 * np.pi * rng.uniform(5, 6) * time_s))) / RATE_HZ
    sound = sum(np.sin(number * phase) / number for number in range(1, harmonics + 1))
    shape = np.minimum(1, time_s / 0.03) * np.minimum(1, (seconds - time_s) / 0.08)
    return sound * shape


def _breath(rng: Random, seconds: float, centre_hz: float) -> Sound:
    shape = np.hanning(int(seconds * RATE_HZ))
    return _coloured(rng, seconds, lambda hz: np.exp(-(((hz - centre_hz) / 900) ** 2)))[: len(shape)] * shape


def _cough(rng: Random) -> Sound:
    """A burst, a rough voice falling in pitch for a tenth of a second, and the air after it."""
    seconds = float(rng.uniform(0.3, 0.45))
    time_s = _time(seconds)
    air = _coloured(rng, seconds, lambda hz: np.exp(-(((hz - 1400) / 1500) ** 2))) * np.exp(-time_s / 0.12)
    pitch_hz = rng.uniform(110, 240) * (1 - 0.8 * time_s) * (1 + 0.08 * rng.normal(0, 1, len(time_s)))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    voice = sum(np.sin(number * phase) / number for number in range(1, 12)) * np.exp(-(((time_s - 0.12) / 0.06) ** 2))
    loud = rng.uniform(0.1, 0.35)
    sound = (air * 0.5 + voice * 0.4) * np.minimum(1, time_s / 0.004)
    return sound * loud
