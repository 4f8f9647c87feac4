"""The one clock and the record clock: `at` is aware UTC, `t_ms` is milliseconds since 宣布开庭."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")
_MILLISECOND = timedelta(milliseconds=1)


class Clock(Protocol):
    """Where time comes from. Nothing else in the program may ask the machine for the time."""

    def now(self) -> datetime:
        """Aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; the zero has no meaning."""


def whole_ms(at: datetime) -> datetime:
    """`at` in UTC without the part below a millisecond, so that at ↔ t_ms loses nothing; raises ValueError when naive."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone has no place on the record")
    utc = at.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def t_ms(opened_at: datetime, at: datetime) -> int:
    """Place of `at` on the record clock whose zero is `opened_at`; negative before it."""
    return (at - opened_at) // _MILLISECOND


def at_of(opened_at: datetime, t_ms: int) -> datetime:
    """The moment that stands at `t_ms` on the record clock."""
    return opened_at + t_ms * _MILLISECOND


def iso_utc(at: datetime) -> str:
    """`2026-11-21T01:02:03.004Z`: the one way a time is written into the record."""
    return whole_ms(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """Read what iso_utc() wrote; raises ValueError on anything without a zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without a zone has no place on the record")
    return at.astimezone(UTC)


def hh_mm_ss(t_ms: int) -> str:
    """Record time for people: `01:02:03`, `-00:00:05` before the opening (floor, as a clock shows it)."""
    seconds = t_ms // 1000
    sign = "-" if seconds < 0 else ""
    minutes, second = divmod(abs(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{sign}{hour:02d}:{minute:02d}:{second:02d}"


def local_date_time(at: datetime, zone: ZoneInfo = BEIJING) -> str:
    """Wall time for people in the court's zone (COURT_TZ): `2026年11月21日 09:05:03`."""
    local = at.astimezone(zone)
    return f"{local.year}年{local.month}月{local.day}日 {local.hour:02d}:{local.minute:02d}:{local.second:02d}"


def local_minute(at: datetime, zone: ZoneInfo = BEIJING) -> str:
    """Wall time as the transcript's header writes it: `2026年11月21日9时05分`."""
    local = at.astimezone(zone)
    return f"{local.year}年{local.month}月{local.day}日{local.hour}时{local.minute:02d}分"
