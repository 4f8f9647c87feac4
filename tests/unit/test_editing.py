"""The clerk's corrections over machine lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hearing.model import ParticipantId, SittingId
from transcripts.editing import apply
from transcripts.model import Engine, ReplaceText, Revision, Utterance, utterance_id

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
CLERK = ParticipantId("part_clerk")
ENGINE = Engine("faster-whisper", "whisper-base", "905e5bf8", "{}")


def said(t0_ms: int, text: str, track_id: str = "part_a-audio", length_ms: int = 2000) -> Utterance:
    sitting = SittingId("sit_1")
    return Utterance(
        utterance_id(sitting, track_id, t0_ms), sitting, ParticipantId("part_a"), track_id, t0_ms, t0_ms + length_ms, text, text, 0.7,
        (), ENGINE, "live",
    )  # fmt: skip


def correction(number: int, line: Utterance, text: str, minutes: int = 0) -> Revision:
    return Revision(f"rev_{number}", line.id, ReplaceText(text), CLERK, AT + timedelta(minutes=minutes))


def test_lines_without_corrections_stand_as_the_machine_wrote_them_by_time() -> None:
    later, earlier = said(5000, "不申请回避。"), said(1000, "现在开庭。")
    assert [(line.text, line.edited_by) for line in apply([later, earlier], [])] == [
        ("现在开庭。", None),
        ("不申请回避。", None),
    ]


def test_the_last_correction_counts_whatever_the_order_of_rows() -> None:
    line = said(1000, "没有意义。")
    first, second = correction(1, line, "没有异议"), correction(2, line, "没有异议。", minutes=1)
    (shown,) = apply([line], [second, first])
    assert (shown.text, shown.edited_by, shown.edited_at) == ("没有异议。", CLERK, second.at)
    assert shown.utterance.text == "没有意义。"


def test_a_later_machine_line_over_the_same_sound_does_not_overwrite_the_clerk() -> None:
    line = said(1000, "没有意义。")
    again = replace(said(1150, "没有疑义。"), origin="refill")
    elsewhere = said(1150, "我方没有。", track_id="part_b-audio")
    after = said(2900, "还有一点。")
    shown = apply([line, again, elsewhere, after], [correction(1, line, "没有异议。")])
    assert [s.text for s in shown] == ["没有异议。", "我方没有。", "还有一点。"]


def test_a_machine_line_with_the_id_of_an_edited_one_shows_the_edit() -> None:
    line = said(1000, "没有意义。")
    (shown,) = apply([replace(line, text="别的")], [correction(1, line, "没有异议。")])
    assert shown.text == "没有异议。"


def test_an_empty_correction_strikes_the_line() -> None:
    line = said(1000, "嗯。")
    assert apply([line], [correction(1, line, "")]) == ()
