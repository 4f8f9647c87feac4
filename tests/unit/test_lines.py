"""From what an engine gave to the line that people see: guarded, simplified, with the words of the case, numbers, marks."""

from __future__ import annotations

import json

import numpy as np

from transcripts.lines import LineMaker
from transcripts.listening import Cut
from transcripts.model import Engine, MarkKind, Word
from transcripts.recognizer import HeardWord, Recognition, Samples
from transcripts.script import Simplifier
from transcripts.vocabulary import NO_WORDS, CaseWords

CASE = CaseWords(names=("张伟", "李强"), legal=("逾期利息",))


class FakeEngine:
    """Says what it is told to say; remembers the words it was given."""

    engine = Engine("fake", "none", "0", '{"beam":1}')
    prompt = "以下是普通话的法庭庭审记录"

    def __init__(self, text: str = "", words: tuple[HeardWord, ...] = ()) -> None:
        self.recognition = Recognition(text, -0.3, 0.0, words)
        self.terms: list[tuple[str, ...]] = []

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:
        self.terms.append(terms)
        return self.recognition


def cut(seconds: float = 8.0) -> Cut:
    samples = np.zeros(int(seconds * 16_000), dtype=np.float32)
    return Cut(t0_ms=1000, t1_ms=1000 + int(seconds * 1000), samples=samples, voiced_ms=int(seconds * 1000))


def test_a_line_is_written_as_a_court_writes_it_and_keeps_what_the_engine_gave() -> None:
    raw = "原告章偉要求支付預期利息三千六百元,我沒有異議"
    maker = LineMaker(FakeEngine(raw), Simplifier())
    line = maker.make("sit_1", "part_a-audio", cut(), "live", CASE)
    assert line is not None
    assert line.text == "原告张伟要求支付逾期利息3600元，我没有异议"
    assert line.raw_text == raw
    assert [(mark.kind, line.text[mark.start : mark.end], mark.note) for mark in line.marks] == [
        (MarkKind.NAME, "张伟", "章伟"),
        (MarkKind.NAME, "逾期利息", "预期利息"),
        (MarkKind.NUMBER, "3600元", "三千六百元"),
        (MarkKind.NEGATION, "没有", ""),
    ]


def test_the_engine_gets_the_words_of_the_sittings_case() -> None:
    engine = FakeEngine("没有异议。")
    maker = LineMaker(engine, Simplifier()).knowing(lambda sitting_id: CASE if sitting_id == "sit_1" else NO_WORDS)
    line, other = (maker.make(sitting, "part_a-audio", cut(), "live") for sitting in ("sit_1", "sit_2"))
    assert engine.terms == [CASE.terms, ()]
    assert line is not None
    assert other is not None
    assert other.engine == FakeEngine.engine


def test_a_line_says_which_vocabulary_its_engine_had_and_not_what_stood_in_it() -> None:
    line = LineMaker(FakeEngine("没有异议。"), Simplifier()).make("sit_1", "part_a-audio", cut(), "live", CASE)
    assert line is not None
    parameters = json.loads(line.engine.parameters)
    assert parameters == {"beam": 1, "case_words": {"count": 3, "sha256": CASE.fingerprint}}
    assert "张伟" not in line.engine.parameters


def test_the_words_of_a_reading_are_kept_and_the_doubted_ones_marked() -> None:
    heard = tuple(HeardWord(text, 1000 + 200 * n, 1200 + 200 * n, p) for n, (text, p) in enumerate(
        [("十", 0.9), ("二", 0.3), ("万", 0.9), ("元", 0.9), ("归", 0.9), ("还", 0.12345)]
    ))  # fmt: skip
    engine = FakeEngine("十二万元归还", heard)
    line = LineMaker(engine, Simplifier()).write(engine.recognition, cut(), "sit_1", "part_a-audio", "final", version=2)
    assert line is not None
    assert (line.id, line.version, line.origin) == ("sit_1:part_a-audio@1000~2", 2, "final")
    assert line.words[5] == Word("还", 2000, 2200, 0.123)
    doubted = [line.text[m.start : m.end] for m in line.marks if m.kind is MarkKind.LOW_CONFIDENCE]
    assert (line.text, doubted) == ("12万元归还", ["12万元", "还"])


def test_an_echo_of_the_prompt_and_a_loop_make_no_line() -> None:
    for text in ("以下是普通话的法庭庭审记录", "啊啊啊啊啊啊啊啊啊啊", ""):
        assert LineMaker(FakeEngine(text), Simplifier()).make("sit_1", "part_a-audio", cut(), "live", CASE) is None
