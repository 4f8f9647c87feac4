"""What differs between two versions: lines by their time, then letters."""

from __future__ import annotations

from hearing.model import ParticipantId, SittingId
from transcripts.diff import Row, diff
from transcripts.model import Engine, Line, Utterance, participant_of

ENGINE = Engine("simulator", "none", "0" * 64, "{}")


def said(t0_ms: int, t1_ms: int, text: str, track_id: str = "a-audio") -> Line:
    who = ParticipantId(participant_of(track_id))
    line_id = f"{track_id}@{t0_ms}"
    utterance = Utterance(
        line_id, SittingId("sit_1"), who, track_id, t0_ms, t1_ms, text, text, 0.9, (), ENGINE, "live"
    )  # fmt: skip
    return Line(utterance, text)


def shown(rows: tuple[Row, ...]) -> list[tuple[str, str]]:
    marks = {"same": "{}", "added": "+{}+", "removed": "-{}-"}
    return [(row.change, "".join(marks[piece.kind].format(piece.text) for piece in row.pieces)) for row in rows]


def test_letters_inside_a_line() -> None:
    rows = diff([said(0, 2000, "我借给他十万元。")], [said(80, 1900, "我借给他十二万元。")])
    assert shown(rows) == [("changed", "我借给他十+二+万元。")]
    assert (rows[0].t0_ms, rows[0].t1_ms) == (0, 2000)


def test_the_same_words_cut_elsewhere_are_no_change() -> None:
    old = [said(0, 4000, "现在开庭。首先核对当事人身份。")]
    new = [said(0, 1800, "现在开庭。"), said(2000, 4000, "首先核对当事人身份。")]
    assert shown(diff(old, new)) == [("same", "现在开庭。首先核对当事人身份。")]
    assert shown(diff(new, old)) == [("same", "现在开庭。首先核对当事人身份。")]


def test_marks_alone_are_no_change_and_still_shown() -> None:
    assert shown(diff([said(0, 2000, "首先，核对身份。")], [said(0, 2000, "首先核对身份，")])) == [
        ("same", "首先-，-核对身份-。-+，+")
    ]


def test_chains_of_overlaps_belong_together_and_neighbours_do_not() -> None:
    old = [said(0, 3000, "甲乙"), said(3000, 6000, "丙丁"), said(6000, 9000, "戊己")]
    new = [said(0, 4500, "甲乙丙"), said(4500, 6100, "丁"), said(6100, 9000, "戊己")]
    assert shown(diff(old, new)) == [("same", "甲乙丙丁"), ("same", "戊己")]


def test_what_only_one_of_them_has() -> None:
    old = [said(0, 1000, "喂。"), said(9000, 9400, "好。")]
    new = [said(3000, 5000, "没有异议。"), said(9000, 9400, "好。")]
    assert shown(diff(old, new)) == [("removed", "-喂。-"), ("added", "+没有异议。+"), ("same", "好。")]


def test_tracks_are_never_mixed() -> None:
    rows = diff([said(0, 2000, "同意。", "b-audio")], [said(0, 2000, "同意。")])
    assert [(row.track_id, row.change) for row in rows] == [("a-audio", "added"), ("b-audio", "removed")]


def test_nothing_against_nothing() -> None:
    assert diff([], []) == ()
