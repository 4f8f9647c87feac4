"""What people are told of captions: by the reports of the transcripts role, and by its silence."""

from __future__ import annotations

import pytest

from signaling.caption_watch import SILENCE_S, SILENT, STARTS_WITHIN_S, Captions, CaptionWatch
from tests.courts import SetClock
from transcripts.health import CaptionHealth, EngineTrouble

DEAD = EngineTrouble("live", "engine_unreachable", "无法连接语音识别服务 asr；请检查网络与该服务")
NO_SECOND = EngineTrouble("second", "model_missing", "对照识别：没有语音识别模型文件夹；请放入模型")


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (CaptionHealth("starting"), Captions("starting")),
        (CaptionHealth("on"), Captions("on")),
        (CaptionHealth("on", (NO_SECOND,)), Captions("on", NO_SECOND.message, (NO_SECOND.code,))),
        (CaptionHealth("away", (DEAD, NO_SECOND)),
         Captions("delayed", f"{DEAD.message}\n{NO_SECOND.message}", (DEAD.code, NO_SECOND.code))),
        (CaptionHealth("failed", (DEAD,)), Captions("unavailable", DEAD.message, (DEAD.code,))),
    ],
)  # fmt: skip
def test_what_the_role_says_is_told(clock: SetClock, health: CaptionHealth, expected: Captions) -> None:
    watch = CaptionWatch(clock, wanted=True)
    watch.heard(health)
    assert watch.state() == expected


def test_a_role_that_falls_silent_is_told_and_comes_back(clock: SetClock) -> None:
    watch = CaptionWatch(clock, wanted=True)
    watch.heard(CaptionHealth("on"))
    clock.advance(SILENCE_S)
    assert watch.state().state == "on"
    clock.advance(1)
    assert (watch.state().state, watch.state().codes) == ("unavailable", (SILENT,))
    assert "；请" in watch.state().detail
    watch.heard(CaptionHealth("on"))
    assert watch.state() == Captions("on")


def test_a_role_that_never_speaks_is_given_time_and_then_told(clock: SetClock) -> None:
    watch = CaptionWatch(clock, wanted=True)
    assert watch.state() == Captions("starting")
    clock.advance(STARTS_WITHIN_S)
    assert watch.state().codes == (SILENT,)


def test_where_captions_are_switched_off_nothing_is_said(clock: SetClock) -> None:
    watch = CaptionWatch(clock, wanted=False)
    clock.advance(10 * STARTS_WITHIN_S)
    assert watch.state() == Captions("off")
