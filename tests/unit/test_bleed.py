"""Microphone bleed by texts, times and levels: the louder track keeps the line, speech that differs stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hearing.model import ParticipantId, SittingId
from transcripts.bleed import bleed_in, usual_levels
from transcripts.model import Engine, Utterance, Word, participant_of

ENGINE = Engine("simulator", "none", "0" * 64, "{}")
JUDGE, CLERK = "judge-audio", "clerk-audio"
WORDS = "请原告陈述诉讼请求以及所依据的事实和理由"


def line(track_id: str, t0_ms: int, text: str, level_db: float | None, length_ms: int = 4000) -> Utterance:
    who = participant_of(track_id)
    return Utterance(
        f"{track_id}@{t0_ms}", SittingId("sit_1"), ParticipantId(who), track_id, t0_ms, t0_ms + length_ms, text, text, 0.9, (),
        ENGINE, "final", (), 1, level_db,
    )  # fmt: skip


def own_lines(track_id: str, level_db: float) -> list[Utterance]:
    """What a track says itself, at other times."""
    texts = ("现在开庭，核对当事人身份", "下面进行法庭辩论", "休庭十分钟后继续")
    start_ms = 100_000 if track_id == JUDGE else 200_000
    return [line(track_id, start_ms + 10_000 * number, text, level_db) for number, text in enumerate(texts)]


def left_out(*lines: Utterance) -> list[tuple[str, str]]:
    return [(one.id, one.kept_id) for one in bleed_in(lines, homophones)]


def homophones(letter: str) -> str:
    return {"厉": "lì", "理": "lǐ", "由": "yóu", "有": "yóu"}.get(letter, letter)


BOTH_SPEAK = own_lines(JUDGE, -20.0) + own_lines(CLERK, -30.0)


def test_the_quieter_of_two_is_left_out_and_noted_at_the_other() -> None:
    (found,) = bleed_in([*BOTH_SPEAK, line(JUDGE, 1000, WORDS, -21.0), line(CLERK, 1300, WORDS, -44.0)])
    assert (found.id, found.kept_id, found.text) == ("clerk-audio@1300", "judge-audio@1000", WORDS)
    assert found.lower_db == pytest.approx(13.0)  # 14 below its own track, where the other is 1 below


def test_a_quiet_microphone_is_measured_by_its_own_voice() -> None:
    loud_in_itself = line(CLERK, 1300, WORDS, -31.0)  # 10 dB below the judge, and as loud as the clerk always is
    assert left_out(*BOTH_SPEAK, line(JUDGE, 1000, WORDS, -21.0), loud_in_itself) == []


def test_what_was_heard_a_little_differently_is_still_the_same() -> None:
    heard = "请原告陈述诉讼请求以及所依据的事实和厉有"
    assert left_out(*BOTH_SPEAK, line(JUDGE, 1000, WORDS, -21.0), line(CLERK, 1300, heard, -44.0)) == [
        ("clerk-audio@1300", "judge-audio@1000")
    ]


def test_what_a_recogniser_made_of_faint_words() -> None:
    judge, faint = "被告发表出证意见", "非告发表质证意见"  # of a real recording, 24 dB below
    assert left_out(*BOTH_SPEAK, line(JUDGE, 1000, judge, -21.0), line(CLERK, 1032, faint, -45.5)) != []


@pytest.mark.parametrize(
    ("text", "t0_ms", "level_db"),
    [
        ("我申请法庭调取银行流水", 1300, -44.0),  # other words
        (f"{WORDS}我没有听清", 1300, -44.0),  # words of its own behind them
        ("请原告不陈述诉讼请求以及所依据的事实和理由", 1300, -44.0),  # one letter that turns the sense
        ("请原告陈述3诉讼请求以及所依据的事实和理由", 1300, -44.0),
        (WORDS, 9000, -44.0),  # another time
        (WORDS, 1300, -34.0),  # not clearly quieter
        (WORDS, 1300, None),  # nobody knows how loud it was
        ("同意。", 1300, -44.0),  # too short to tell
    ],
)
def test_speech_that_differs_stays(text: str, t0_ms: int, level_db: float | None) -> None:
    other = WORDS if "同意" not in text else "同意。"
    assert left_out(*BOTH_SPEAK, line(JUDGE, 1000, other, -21.0), line(CLERK, t0_ms, text, level_db)) == []


def test_two_who_answer_alike_at_once_are_both_heard() -> None:
    answers = line(JUDGE, 1000, "没有异议", -20.5), line(CLERK, 1100, "没有异议", -32.0)
    assert left_out(*BOTH_SPEAK, *answers) == []


def test_a_track_that_never_speaks_itself_must_be_much_lower() -> None:
    silent = [line(CLERK, 1300, WORDS, -40.0)]
    assert left_out(*own_lines(JUDGE, -20.0), line(JUDGE, 1000, WORDS, -21.0), *silent) != []
    assert left_out(*own_lines(JUDGE, -20.0), line(JUDGE, 1000, WORDS, -30.0), *silent) == []


def test_only_the_words_of_that_time_are_compared() -> None:
    first, second = "请原告陈述诉讼请求", "以及所依据的事实和理由"
    words = (Word(first, 1200, 5000, 0.9), Word(second, 10_000, 14_500, 0.9))
    long = replace(line(JUDGE, 1000, first + second, -21.0, length_ms=14_000), words=words)
    assert left_out(*BOTH_SPEAK, long, line(CLERK, 10_200, second, -44.0)) != []
    assert left_out(*BOTH_SPEAK, long, line(CLERK, 1300, second, -44.0)) == []


def test_one_of_two_is_always_kept() -> None:
    three = [line(track, 1000 + 50 * n, WORDS, level) for n, (track, level) in enumerate(
        ((JUDGE, -20.0), (CLERK, -45.0), ("plaintiff-audio", -60.0)))]  # fmt: skip
    found = bleed_in([*BOTH_SPEAK, *three])
    assert {one.kept_id for one in found} <= {"judge-audio@1000"}
    assert found


def test_the_usual_level_is_that_of_its_own_lines() -> None:
    assert usual_levels(BOTH_SPEAK, set()) == {JUDGE: -20.0, CLERK: -30.0}
    assert usual_levels(BOTH_SPEAK, {one.id for one in own_lines(CLERK, -30.0)}) == {JUDGE: -20.0}
