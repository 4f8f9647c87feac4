"""Record clock and wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearing.timeline import at_of, from_iso, hh_mm_ss, iso_utc, local_date_time, local_minute, t_ms, whole_ms
from tests.courts import NINE


@given(st.integers(-86_400_000, 10 * 86_400_000))
def test_there_and_back(place_ms: int) -> None:
    assert t_ms(NINE, at_of(NINE, place_ms)) == place_ms


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)))  # noqa: DTZ001  hypothesis wants naive bounds
def test_what_is_written_is_read_back(at: datetime) -> None:
    assert from_iso(iso_utc(at)) == whole_ms(at)
    assert iso_utc(at).endswith("Z")
    assert len(iso_utc(at)) == len("2026-11-21T01:02:03.004Z")


def test_before_the_opening_is_negative() -> None:
    assert t_ms(NINE, NINE - timedelta(microseconds=1)) == -1
    assert t_ms(NINE, NINE - timedelta(seconds=5)) == -5000


def test_another_zone_is_the_same_moment() -> None:
    beijing = NINE.astimezone(timezone(timedelta(hours=8)))
    assert iso_utc(beijing) == "2026-11-21T01:00:00.000Z"
    assert t_ms(NINE, beijing) == 0


def test_a_naive_time_has_no_place_on_the_record() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        whole_ms(NINE.replace(tzinfo=None))
    with pytest.raises(ValueError, match="without a zone"):
        from_iso("2026-11-21T01:00:00")


@pytest.mark.parametrize(
    ("place_ms", "text"),
    [(0, "00:00:00"), (3_723_999, "01:02:03"), (-1, "-00:00:01"), (-5000, "-00:00:05"), (360_000_000, "100:00:00")],
)
def test_record_time_for_people(place_ms: int, text: str) -> None:
    assert hh_mm_ss(place_ms) == text


def test_wall_time_for_people_is_beijing() -> None:
    assert local_date_time(NINE + timedelta(minutes=5, seconds=3)) == "2026年11月21日 09:05:03"
    assert local_minute(NINE + timedelta(minutes=5)) == "2026年11月21日9时05分"
    assert local_minute(datetime(2026, 11, 20, 16, 0, tzinfo=UTC)) == "2026年11月21日0时00分"
