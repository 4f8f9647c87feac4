"""The transcripts role: live captions from the media tap, and re-reading of recorded audio where the tap overflowed."""

from __future__ import annotations

from dataclasses import replace

from court.roles.places import internal_url, media_urls
from court.roles.shared import shared
from court.settings import Settings
from transcripts.final_pass import FinalSettings
from transcripts.settings import TranscriptSettings
from transcripts.worker import serve

COURT_WORDS = (
    "审判长", "诉讼请求", "借条", "法庭辩论", "原告", "合法性", "答辩", "书记员", "转账凭证", "申请回避", "第三人", "质证意见", "休庭", "证人",
    "逾期利息", "举证", "法庭调查", "被告", "关联性", "本金", "最后陈述", "诉讼代理人", "合同", "事实和理由", "质证", "庭审笔录", "争议焦点",
    "证据", "诉讼费用", "真实性", "调解", "闭庭",
)  # fmt: skip
"""Words of civil procedure that recognition should prefer, in every hearing; nothing of a single case.

In an order in which nobody says them, so that two neighbours in a row betray the recogniser reading out its list.
"""


async def main(settings: Settings) -> None:
    async with shared(settings) as parts:
        (settings.data / "run" / "captions-ready").unlink(missing_ok=True)
        await serve(
            replace(
                speech_settings(settings, parts.token), tap_urls=media_urls(settings), signaling_url=internal_url(settings)
            ),
            parts.clock,
            parts.stores.objects(copies=1),
            parts.database,
            ready=lambda: _ready(settings),
            finals=FinalSettings() if settings.finals == "captions" else None,
        )


def speech_settings(settings: Settings, token: str) -> TranscriptSettings:
    """What every process that recognises speech is told; where to listen and whom to tell is the caller's."""
    return TranscriptSettings(
        tap_urls=(),
        signaling_url="",
        internal_token=token,
        data_dir=settings.data,
        model_dir=settings.speech_model_dir,
        threads=settings.speech_threads,
        live=settings.speech_live,
        final=settings.speech_final,
        second=settings.speech_second,
        fallback=settings.speech_fallback,
        http_key=settings.speech_key,
        http_key_file=settings.speech_key_file,
        terms=COURT_WORDS,
    )


def _ready(settings: Settings) -> None:
    folder = settings.data / "run"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "captions-ready").touch()
