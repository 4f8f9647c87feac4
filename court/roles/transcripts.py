"""The transcripts role: live captions from the media tap, and re-reading of recorded audio where the tap overflowed."""

from __future__ import annotations

from court.roles.shared import internal_url, media_url, shared
from court.settings import Settings
from transcripts.settings import TranscriptSettings
from transcripts.worker import serve


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
