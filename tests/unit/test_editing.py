"""The clerk's corrections over machine lines."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hearing.model import ParticipantId, SittingId
from transcripts.editing import apply, moment_at, next_of_speaker, read
from transcripts.model import (
    Engine,
    Line,
    Mark,
    MarkKind,
    Merge,
    Operation,
    ReplaceText,
    Revision,
    SetSpeaker,
    Split,
    Utterance,
    Word,
    utterance_id,
)

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
CLERK = ParticipantId("part_clerk")
WIFE = ParticipantId("part_wife")
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


def act(number: int, line_id: str, operation: Operation) -> Revision:
    utterance, _, part = line_id.partition("/")
    return Revision(f"rev_{number:04}", utterance, operation, CLERK, AT + timedelta(seconds=number), part)


def texts(shown: Sequence[Line]) -> list[tuple[str, str]]:
    return [(line.utterance.participant_id, line.text) for line in shown]


def test_a_split_line_is_two_of_which_one_may_be_given_to_another_speaker() -> None:
    line = said(1000, "是我借的。我是他妻子。")
    cut = act(1, line.id, Split(5, 1900))
    second = f"{line.id}/{cut.id}"
    shown = apply([line], [cut, act(2, second, SetSpeaker(WIFE))])
    assert texts(shown) == [("part_a", "是我借的。"), (WIFE, "我是他妻子。")]
    assert [(one.utterance.t0_ms, one.utterance.t1_ms) for one in shown] == [(1000, 1900), (1900, 3000)]
    assert [one.utterance.track_id for one in shown] == ["part_a-audio"] * 2
    assert [one.rewritten for one in shown] == [False, False]
    assert [one.revision for one in shown] == ["rev_0001", "rev_0002"]


def test_a_split_of_a_corrected_line_cuts_the_machines_text_at_the_same_words() -> None:
    line = said(1000, "没有意义还有一点")
    first, second = apply([line], [act(1, line.id, ReplaceText("没有异议。还有一点。")), act(2, line.id, Split(5, 2000))])
    assert (first.text, second.text) == ("没有异议。", "还有一点。")
    assert (first.utterance.text, second.utterance.text) == ("没有意义", "还有一点")


def test_merged_lines_are_one_and_a_correction_of_the_swallowed_one_does_nothing() -> None:
    one, two, other = said(1000, "本金 5"), said(3500, "000 元。"), said(3000, "反对。", "part_b-audio")
    merge = act(1, one.id, Merge(two.id))
    shown = apply([one, two, other], [merge, act(2, two.id, ReplaceText("别的。"))])
    assert [line.text for line in shown] == ["本金 5 000 元。", "反对。"]
    assert (shown[0].utterance.t0_ms, shown[0].utterance.t1_ms, shown[0].sources) == (1000, 5500, (one.id, two.id))
    assert [line.utterance.id for line in read([one, two, other], [merge]).gone] == [two.id]


def test_lines_of_different_tracks_are_never_merged() -> None:
    one, two = said(1000, "是。"), said(3500, "不是。", "part_b-audio")
    assert len(apply([one, two], [act(1, one.id, Merge(two.id))])) == 2


def test_the_next_line_of_the_same_microphone_may_be_merged_unless_another_speaks() -> None:
    one, two, other = said(1000, "本金"), said(3500, "五万元。"), said(3000, "反对。", "part_b-audio")
    lines = apply([one, two, other], [])
    assert next_of_speaker(lines, lines[0]) == lines[2]
    given = apply([one, two, other], [act(1, two.id, SetSpeaker(WIFE))])
    assert next_of_speaker(given, given[0]) is None


def test_a_late_line_in_the_pause_between_merged_lines_is_shown() -> None:
    one, two, late = said(1000, "本金"), said(9000, "五万元。"), said(4000, "利息另算。")
    shown = apply([one, two, late], [act(1, one.id, Merge(two.id))])
    assert [line.text for line in shown] == ["本金五万元。", "利息另算。"]


def test_marks_move_with_their_characters_and_go_when_these_are_rewritten() -> None:
    marks = (Mark(MarkKind.NUMBER, 2, 5, "五万元"), Mark(MarkKind.NEGATION, 6, 8))
    line = replace(said(0, "本金五万元，没有还。"), marks=marks)
    (moved,) = apply([line], [act(1, line.id, ReplaceText("借款本金五万元，没有还。"))])
    assert [moved.text[mark.start : mark.end] for mark in moved.marks] == ["五万元", "没有"]
    (fewer,) = apply([line], [act(1, line.id, ReplaceText("本金五万元，已经还。"))])
    assert [mark.kind for mark in fewer.marks] == [MarkKind.NUMBER]
    assert fewer.rewritten


def test_a_split_lies_where_the_words_were_said() -> None:
    words = (Word("没有", 1000, 1400, 1.0), Word("异议", 1400, 1800, 1.0), Word("还有", 2600, 3000, 1.0))
    line = replace(said(1000, "没有异议，还有"), words=words)
    (shown,) = apply([line], [])
    assert (moment_at(shown, 5), moment_at(shown, 1), moment_at(shown, 0)) == (2600, 1200, 1001)
    (bare,) = apply([said(1000, "没有异议还有")], [])
    assert moment_at(bare, 3) == 2000


LINES = [said(t, text, track) for t, text, track in [
    (0, "现在开庭。", "part_j-audio"), (2500, "我没有异议。", "part_a-audio"), (5000, "本金 50000 元", "part_a-audio"),
    (5200, "200", "part_b-audio"), (7600, "𠮷野到庭，嗯。", "part_a-audio"), (7700, "反对。", "part_b-audio"),
]]  # fmt: skip


Draw = tuple[int, int, int, bool]


def corrections(draws: list[Draw]) -> list[Revision]:
    """Sensible and senseless ones, on lines that are there, were there or never were."""
    made: list[Revision] = []
    ids = [line.id for line in LINES] + ["sit_1:nobody@1"]
    for number, (kind, target, value, together) in enumerate(draws):
        operation: Operation = (
            ReplaceText(("没有异议。", "", " ", "本金 5 元")[value % 4]), Split(value % 11 - 1, value * 997 % 12_000),
            Merge(ids[value % len(ids)]), SetSpeaker((WIFE, CLERK)[value % 2]),
        )[kind]  # fmt: skip
        one = act(number, ids[target % len(ids)], operation)
        made.append(replace(one, at=AT) if together else one)
        if isinstance(operation, Split):
            ids.append(f"{one.utterance_id}/{one.id}")
    return made


NUMBER = st.integers(0, 63)
DRAWS = st.lists(st.tuples(st.integers(0, 3), NUMBER, NUMBER, st.booleans()), max_size=8).map(corrections)


@given(DRAWS, st.randoms(use_true_random=False))
def test_the_same_rows_read_the_same_in_any_order_and_twice(made: list[Revision], chance: random.Random) -> None:
    mixed, lines = [*made, *made[:3]], [*LINES]
    chance.shuffle(mixed)
    chance.shuffle(lines)
    assert read(lines, mixed) == read(LINES, made)


@given(DRAWS)
def test_nothing_the_machine_wrote_is_lost_but_by_striking(made: list[Revision]) -> None:
    made = [one for one in made if not isinstance(one.operation, ReplaceText)]
    shown = apply(LINES, made)
    letters = sorted("".join(line.utterance.text for line in shown).replace(" ", ""))
    assert letters == sorted("".join(line.text for line in LINES).replace(" ", ""))
    assert letters == sorted("".join(line.text for line in shown).replace(" ", ""))
    assert all(line.utterance.t0_ms <= line.utterance.t1_ms for line in shown)
    assert {source for line in shown for source in line.sources} == {line.id for line in LINES}


@given(DRAWS, st.integers(0, 9000), st.integers(1, 4000))
def test_no_machine_line_that_comes_later_changes_an_edited_one(made: list[Revision], t0_ms: int, length_ms: int) -> None:
    before = {line.utterance.id: line for line in apply(LINES, made) if line.edited_by is not None}
    late = replace(said(t0_ms, "机器又听了一遍。", "part_a-audio", length_ms), origin="refill", id="sit_1:part_a-audio@late")
    after = {line.utterance.id: line for line in apply([*LINES, late], made)}
    assert before.items() <= after.items()


@given(DRAWS)
def test_marks_stay_within_the_text_and_ids_are_unique(made: list[Revision]) -> None:
    marked = [replace(line, marks=(Mark(MarkKind.NAME, 0, 2), Mark(MarkKind.NUMBER, 1, len(line.text)))) for line in LINES]
    result = read(marked, made)
    ids = [line.utterance.id for line in result.lines]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {line.utterance.id for line in result.gone}
    assert all(0 <= mark.start < mark.end <= len(line.text) for line in result.lines for mark in line.marks)
