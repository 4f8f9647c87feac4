"""Ids: a prefix that says what it names, then time, then chance; sortable by time, safe in keys and URLs."""

from __future__ import annotations

import re
import secrets

from storage.clock import SystemClock

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread
_TIME_CHARACTERS = 10  # 50 bits of milliseconds
_RANDOM_CHARACTERS = 14  # 70 bits
_PREFIX = re.compile(r"[a-z]{1,10}")
_CLOCK = SystemClock()


def new_id(prefix: str) -> str:
    """A fresh id such as `sit_01hf…`: at most 35 characters of [a-z0-9_]; raises ValueError on a bad prefix."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"an id's prefix is 1 to 10 letters a-z, not {prefix!r}")
    milliseconds = int(_CLOCK.now().timestamp() * 1000)
    return f"{prefix}_{_base32(milliseconds, _TIME_CHARACTERS)}{_base32(secrets.randbits(70), _RANDOM_CHARACTERS)}"


def _base32(value: int, characters: int) -> str:
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(5 * (characters - 1), -1, -5))
