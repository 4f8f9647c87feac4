"""The transcripts role: live captions from the media tap, and re-reading of recorded audio where the tap overflowed."""

from __future__ import annotations

from court.roles.shared import internal_url, media_url, shared
from court.settings import Settings
from transcripts.settings import TranscriptSettings
from transcripts.worker import serve

COURT_WORDS = (
    "审判长", "书记员", "原告", "被告", "第三人", "诉讼代理人", "证人", "诉讼请求", "事实和理由", "诉讼费用", "申请回避", "法庭调查",
    "争议焦点", "举证", "质证", "质证意见", "真实性", "合法性", "关联性", "证据", "借条", "转账凭证", "合同", "本金", "逾期利息", "答辩",
    "法庭辩论", "最后陈述", "调解", "休庭", "闭庭", "庭审笔录",
)  # fmt: skip
"""Words of civil procedure that recognition should prefer, in every hearing; nothing of a single case."""


async def main(settings: Settings) -> None:
    async with shared(settings) as parts:
        (settings.data / "run" / "captions-ready").unlink(missing_ok=True)
        await serve(
            TranscriptSettings(
                tap_urls=(media_url(settings),),
                signaling_url=internal_url(settings),
                internal_token=parts.token,
                data_dir=settings.data,
                model_dir=settings.speech_model_dir,
                threads=settings.speech_threads,
                terms=COURT_WORDS,
            ),
            parts.clock,
            parts.store,
            parts.database,
            ready=lambda: _ready(settings),
        )


def _ready(settings: Settings) -> None:
    folder = settings.data / "run"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "captions-ready").touch()
