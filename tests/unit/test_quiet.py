"""Stretches in which nobody speaks: what is known says so, all of it."""

from __future__ import annotations

from datetime import UTC, datetime

from hearing.model import ParticipantId, SittingId
from record.model import Segment
from record.quiet import LEAD_MS, TAIL_MS, quiet_spans
from transcripts.model import Engine, Utterance

DAY = datetime(2026, 11, 20, tzinfo=UTC)


def segment(t0: int, t1: int, *, size: int = 1000, muted_ms: int = 0, who: str = "a") -> Segment:
    packets = (t1 - t0) // 20
    return Segment(
        f"{who}-audio", ParticipantId(who), "audio", "opus", 0, t0, t1, DAY, size, "", "", "", "", packets, 0, 0, muted_ms, "rotate"
    )  # fmt: skip


def line(t0: int, t1: int, who: str = "a") -> Utterance:
    engine = Engine("e", "m", "s", "{}")
    return Utterance(
        "u", SittingId("s"), ParticipantId(who), f"{who}-audio", t0, t1, "是", "是", 0.9, (), engine, "live"
    )  # fmt: skip


def test_between_two_lines_it_is_quiet_but_not_close_to_them() -> None:
    found = quiet_spans([(0, 40_000)], [segment(0, 40_000)], [line(0, 5000), line(30_000, 35_000)])
    assert found == [(5000 + TAIL_MS, 30_000 - LEAD_MS), (35_000 + TAIL_MS, 40_000)]


def test_a_pause_in_talk_and_a_recess_are_no_quiet_stretches() -> None:
    assert quiet_spans([(0, 10_000), (50_000, 60_000)], [], [line(0, 4000), line(7000, 10_000), line(50_000, 60_000)]) == []


def test_sound_as_dense_as_speech_without_a_line_is_not_skipped() -> None:
    dense = segment(10_000, 20_000, size=500 * 90)
    assert quiet_spans([(0, 40_000)], [dense], [line(30_000, 39_000)]) == [(0, 10_000), (20_000, 30_000 - LEAD_MS)]
    muted = segment(10_000, 20_000, size=500 * 90, muted_ms=9900)
    assert quiet_spans([(0, 40_000)], [muted], [line(30_000, 39_000)]) == [(0, 30_000 - LEAD_MS)]
    explained = [line(12_000, 13_000), line(30_000, 39_000)]
    assert (13_000 + TAIL_MS, 30_000 - LEAD_MS) in quiet_spans([(0, 40_000)], [dense], explained)


def test_without_any_line_only_closed_microphones_are_quiet() -> None:
    sound = [segment(0, 10_000), segment(10_000, 20_000, muted_ms=10_000), segment(10_000, 15_000, who="b", muted_ms=5000)]
    assert quiet_spans([(0, 20_000)], sound, []) == [(10_000, 20_000)]
