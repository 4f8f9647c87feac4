"""Where the roles of an installation find one another.

Apart from shared.py, because a media worker that died must be up again at once and has no use for a database.
"""

from __future__ import annotations

from pathlib import Path

from court.settings import Settings, SettingsError


def spool_folder(settings: Settings) -> Path:
    return settings.data / "spool"


def internal_url(settings: Settings) -> str:
    """Where the roles reach signaling."""
    return f"http://127.0.0.1:{_fixed(settings.internal_port, 'COURT_INTERNAL_PORT')}"


def media_urls(settings: Settings) -> tuple[str, ...]:
    """Where signaling and transcripts reach the media workers, in the order of their numbers."""
    first = _fixed(settings.media_port, "COURT_MEDIA_PORT")
    return tuple(f"http://127.0.0.1:{first + n}" for n in range(settings.media_workers))


def worker_id(number: int) -> str:
    """media-1, media-2 …"""
    return f"media-{number}"


def _fixed(port: int, name: str) -> int:
    if port == 0:
        raise SettingsError(f"单独启动一个角色时须设置 {name}")
    return port
