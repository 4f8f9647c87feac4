"""The machine draft as files."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

from hearing.model import ParticipantId, SittingId
from transcripts.documents import FORMS, MARK, Speaker, Title, stm_tokens, to_json, to_srt, to_stm, to_txt, to_vtt
from transcripts.model import Engine, Line, Mark, MarkKind, Utterance

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


TITLE = Title("（2026）沪0106民初1234号", "民间借贷纠纷", 1, 2, "sit_1-2")
CUE_TIME = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d)[.,](\d{3})")


def milliseconds(clock: str) -> int:
    found = CUE_TIME.fullmatch(clock)
    assert found is not None, clock
    hour, minute, second, rest = map(int, found.groups())
    return ((hour * 60 + minute) * 60 + second) * 1000 + rest


def srt_cues(text: str) -> list[tuple[int, int, str]]:
    """A strict SubRip reader: numbers without a gap, times with a comma, text without an empty line."""
    cues = []
    for number, block in enumerate(text.removesuffix("\n").split("\n\n"), start=1):
        head, times, *words = block.strip("\n").split("\n")
        begin, arrow, end = times.split(" ")
        assert (head, arrow) == (str(number), "-->")
        assert "," in begin
        assert words
        cues.append((milliseconds(begin), milliseconds(end), "\n".join(words)))
    return cues


def vtt_cues(text: str) -> list[tuple[int, int, str, str]]:
    """A strict WebVTT reader (W3C): signature, comments without an arrow, cues with an id and one voice."""
    head, *blocks = text.rstrip("\n").split("\n\n")
    assert head == "WEBVTT"
    cues = []
    for block in blocks:
        if block.startswith("NOTE"):
            assert "-->" not in block
            continue
        _, times, words = block.strip("\n").split("\n")
        begin, end = times.split(" --> ")
        voice = re.fullmatch(r"<v ([^<>&\n]+)>([^<>\n]*)", words)
        assert voice is not None, words
        cues.append((milliseconds(begin), milliseconds(end), voice[1], html.unescape(voice[2])))
    return cues


def stm_rows(text: str) -> list[tuple[str, str, str, float, float, list[str]]]:
    """sclite's reader: `;;` comments, else file channel speaker begin end <label> words, ordered by file, channel, begin."""
    rows = []
    for line in text.splitlines():
        if line.startswith(";;"):
            continue
        file, channel, speaker, begin, end, label, *words = line.split(" ")
        assert label == "<o>"
        assert float(begin) < float(end)
        rows.append((file, channel, speaker, float(begin), float(end), words))
    assert rows == sorted(rows, key=lambda row: (*row[:2], row[3]))
    return rows


def test_every_form_says_that_it_is_a_machine_draft_of_what_and_by_which_model() -> None:
    assert FORMS.keys() == {"vtt", "srt", "txt", "json", "stm"}
    for form in FORMS.values():
        text = form.write(LINES, SPEAKERS, TITLE)
        assert MARK in text
        assert "905e5bf8336bcc62" in text
        assert "（2026）沪0106民初1234号" in text
        assert "终稿识别 2" in text


def test_subrip_is_read_by_a_strict_reader_and_opens_with_the_notice() -> None:
    notice, *cues = srt_cues(to_srt([*LINES, replace(LINES[0], text="换\n\n行。")], SPEAKERS, TITLE))
    assert notice[:2] == (0, 1)
    assert notice[2].startswith(MARK)
    assert cues[0] == (3_723_004, 3_724_504, "审判长：现在开庭。")
    assert cues[2][:2] == (0, 1460)  # said before 宣布开庭
    assert cues[3][2] == "审判长：换 行。"


def test_webvtt_is_read_by_a_strict_reader_with_a_title_that_holds_an_arrow() -> None:
    cues = vtt_cues(to_vtt(LINES, SPEAKERS, replace(TITLE, cause="甲 --> 乙")))
    assert [cue[2:] for cue in cues] == [
        ("审判长", "现在开庭。"), ("原告 张伟", "利息 <2% & 本金 --> 12万元"), ("原告 赵敏", "到庭。"),
    ]  # fmt: skip


def test_stm_is_scored_by_the_character_with_a_channel_for_each_microphone() -> None:
    rows = stm_rows(to_stm(LINES, SPEAKERS, TITLE))
    assert [(row[1], row[2]) for row in rows] == [("1", ONE), ("2", TWO), ("3", JUDGE)]
    assert rows[0][5] == ["利", "息", "2%", "本", "金", "12", "万", "元"]
    assert rows[2] == ("sit_1-2", "3", JUDGE, 3723.004, 3724.504, ["现", "在", "开", "庭"])
    assert stm_tokens("年利率4.5%，COVID-19（𠮷野）。") == ["年", "利", "率", "4.5%", "COVID", "19", "𠮷", "野"]
    assert stm_rows(to_stm([replace(LINES[0], text="……")], SPEAKERS, TITLE)) == []


def test_json_tells_marks_of_the_present_text_and_the_corrections() -> None:
    marked = replace(LINES[0], marks=(Mark(MarkKind.NEGATION, 0, 2),))
    document = json.loads(to_json([marked], SPEAKERS, TITLE))
    assert document["lines"][0]["marks"] == [{"kind": "negation", "start": 0, "end": 2, "note": ""}]
    assert document["lines"][0]["revisions"] == []
    assert (document["version"], document["ordinal"]) == (2, 1)
