"""Ends of lines: a mark by the pause, never a second one."""

from __future__ import annotations

import pytest

from tests.unit.test_composing import said
from transcripts.sentences import ended


@pytest.mark.parametrize(
    ("text", "pause_ms", "written"),
    [
        ("请求判令被告归还借款", 600, "请求判令被告归还借款，"),
        ("本案现在开庭", 1_500, "本案现在开庭。"),
        ("听清楚了吗？", 600, "听清楚了吗？"),
        ("现在开庭。", 600, "现在开庭。"),
        ("2024年3月5日", 700, "2024年3月5日，"),
    ],
)
def test_a_line_ends_by_the_pause_after_it(text: str, pause_ms: int, written: str) -> None:
    lines = ended([said(0, 1_000, text), said(1_000 + pause_ms, 9_000, "好")])
    assert [line.text for line in lines] == [written, "好。"]
    assert [(line.t0_ms, line.t1_ms) for line in lines] == [(0, 1_000), (1_000 + pause_ms, 9_000)]


def test_no_lines_have_no_end() -> None:
    assert ended([]) == []
