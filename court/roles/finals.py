"""The finals role: final passes over closed sittings (终稿识别) and nothing else, for a machine with a GPU."""

from __future__ import annotations

from court.roles.shared import shared
from court.roles.transcripts import speech_settings
from court.settings import Settings
from transcripts.final_worker import serve_finals


async def main(settings: Settings) -> None:
    async with shared(settings) as parts:
        told = speech_settings(settings, parts.token)
        await serve_finals(told, parts.clock, parts.stores.objects(copies=1), parts.database, parts.wake)
