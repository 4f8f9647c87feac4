"""What people read of a version: corrected lines stay, the machine's lines elsewhere (C10)."""

from __future__ import annotations

from datetime import UTC, datetime

from hearing.model import ParticipantId, SittingId
from transcripts.composing import compose, touched_spans
from transcripts.model import Engine, ReplaceText, Revision, Utterance, participant_of

ENGINE = Engine("simulator", "none", "0" * 64, "{}")
CLERK = ParticipantId("clerk")
AT = datetime(2026, 11, 20, tzinfo=UTC)


def said(t0_ms: int, t1_ms: int, text: str, version: int = 0, track_id: str = "a-audio") -> Utterance:
    who = ParticipantId(participant_of(track_id))
    line_id = f"{track_id}@{t0_ms}~{version}"
    return Utterance(
        line_id, SittingId("sit_1"), who, track_id, t0_ms, t1_ms, text, text, 0.9, (), ENGINE, "live", version=version
    )  # fmt: skip


def written(line: Utterance, text: str) -> Revision:
    return Revision(f"rev_{line.id}", line.id, ReplaceText(text), CLERK, AT)


LIVE = [said(0, 2000, "甲"), said(3000, 5000, "乙"), said(6000, 8000, "丙")]
FINAL = [said(10, 2010, "甲甲", 1), said(6010, 8010, "丙丙", 1), said(9000, 9900, "丁", 1)]


def test_the_clerks_line_stands_in_its_place() -> None:
    lines = compose(LIVE, [written(LIVE[1], "乙，更正")], FINAL)
    assert [line.text for line in lines] == ["甲甲", "乙，更正", "丙丙", "丁"]
    assert [line.edited_by for line in lines] == [None, CLERK, None, None]


def test_a_struck_line_stays_struck() -> None:
    assert [line.text for line in compose(LIVE, [written(LIVE[0], "")], FINAL)] == ["丙丙", "丁"]


def test_a_correction_after_the_pass_hides_what_the_pass_heard_there() -> None:
    assert [line.text for line in compose(LIVE, [written(LIVE[0], "甲，更正")], FINAL)] == ["甲，更正", "丙丙", "丁"]


def test_a_corrected_line_of_a_pass_stays_in_the_next() -> None:
    second = [said(20, 2020, "甲甲甲", 2), said(6020, 8020, "丙丙丙", 2)]
    lines = compose([*LIVE, *FINAL], [written(FINAL[1], "丙，更正")], second)
    assert [line.text for line in lines] == ["甲甲甲", "丙，更正"]


def test_what_a_pass_leaves_out() -> None:
    other = said(4000, 7000, "戊", track_id="b-audio")
    revisions = [written(LIVE[0], "x"), written(LIVE[1], ""), written(other, "y")]
    near = said(1900, 2600, "己")
    assert touched_spans([*LIVE, other, near], [*revisions, written(near, "z")]) == {
        "a-audio": ((0, 2600), (3000, 5000)), "b-audio": ((4000, 7000),),
    }  # fmt: skip
    assert touched_spans(LIVE, []) == {}
