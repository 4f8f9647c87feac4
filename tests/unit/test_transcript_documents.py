"""The machine draft as files."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

from hearing.model import ParticipantId, SittingId
from transcripts.documents import MARK, Speaker, to_json, to_txt, to_vtt
from transcripts.model import Engine, Line, Utterance

JUDGE, ONE, TWO = ParticipantId("part_j"), ParticipantId("part_1"), ParticipantId("part_2")
SPEAKERS = {JUDGE: Speaker("审判长", "王法官"), ONE: Speaker("原告", "张伟"), TWO: Speaker("原告", "赵敏")}
ENGINE = Engine("faster-whisper", "whisper-base", "905e5bf8336bcc62", '{"beam":1}')


def line(participant: ParticipantId, t0_ms: int, text: str) -> Line:
    track = f"{participant}-audio"
    said = Utterance(
        f"sit_1:{track}@{t0_ms}",
        SittingId("sit_1"),
        participant,
        track,
        t0_ms,
        t0_ms + 1500,
        text,
        text,
        0.71,
        (),
        ENGINE,
        "live",
    )
    return Line(said, text)


LINES = [line(JUDGE, 3_723_004, "现在开庭。"), line(ONE, 3_730_000, "利息 <2% & 本金 --> 12万元"), line(TWO, -40, "到庭。")]


def test_vtt_names_the_speaker_marks_each_line_and_escapes_text() -> None:
    vtt = to_vtt(LINES, SPEAKERS)
    assert vtt.startswith("WEBVTT\n\nNOTE ")
    assert "01:02:03.004 --> 01:02:04.504\n<v 审判长>现在开庭。\n" in vtt
    assert "<v 原告 张伟>利息 &lt;2% &amp; 本金 --&gt; 12万元\n" in vtt
    assert "00:00:00.000 --> 00:00:01.460\n<v 原告 赵敏>到庭。" in vtt
    assert vtt.count(f"NOTE {MARK} · faster-whisper whisper-base 905e5bf8 · live") == 3
    blocks = [block for block in vtt.strip().split("\n\n")[1:] if not block.startswith("NOTE")]
    assert len(blocks) == 3
    assert all(re.fullmatch(r"\S+\n[\d:.]+ --> [\d:.]+\n<v [^>]+>.+", block) for block in blocks)


def test_a_line_break_in_a_correction_cannot_end_a_cue() -> None:
    vtt = to_vtt([replace(LINES[0], text="现在\n\n开庭。")], SPEAKERS)
    assert "<v 审判长>现在 开庭。\n" in vtt


def test_text_is_marked_as_no_court_record_on_every_line() -> None:
    rows = to_txt(LINES, SPEAKERS).splitlines()
    assert rows[0] == "〔机器识别，非笔录〕"
    assert rows[1].startswith("[01:02:03.004] 审判长：现在开庭。")
    assert all(MARK in row and "905e5bf8" in row for row in rows[1:])


def test_json_keeps_the_machines_words_beside_the_corrected_ones() -> None:
    edited = replace(LINES[0], text="现在闭庭。", edited_by=JUDGE, edited_at=datetime(2026, 11, 21, tzinfo=UTC))
    document = json.loads(to_json([edited, LINES[1]], SPEAKERS))
    first, second = document["lines"]
    assert document["mark"] == MARK
    assert (first["machine_text"], first["text"], first["edited_at"]) == (
        "现在开庭。",
        "现在闭庭。",
        "2026-11-21T00:00:00.000Z",
    )
    assert first["engine"] == {
        "name": "faster-whisper",
        "model": "whisper-base",
        "model_sha256": "905e5bf8336bcc62",
        "parameters": '{"beam":1}',
    }
    assert (second["mark"], second["speaker"]) == (MARK, "原告 张伟")
