"""The tap's wire form."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcripts.tap_message import Hello, Overflow, Span, TapFormatError, TapPacket, pack, unpack, unpack_text

IDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=60)


def test_the_layout_is_the_agreed_one() -> None:
    message = struct.pack("!QqHHB", 7, -20, 5, 6, 3) + b"sit_1" + b"p-audi" + b"\xf8\xff\xfe"
    assert unpack(message) == TapPacket(7, -20, "sit_1", "p-audi", b"\xf8\xff\xfe", filler=True, end=True)


@given(
    st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1), IDS, IDS, st.binary(max_size=200), st.booleans(), st.booleans()
)
def test_what_is_packed_is_unpacked(
    seq: int, t_ms: int, sitting: str, track: str, opus: bytes, filler: bool, end: bool
) -> None:
    packet = TapPacket(seq, t_ms, sitting, track, opus, filler, end)
    assert unpack(pack(packet)) == packet


@pytest.mark.parametrize(
    "message",
    [b"", b"short", struct.pack("!QqHHB", 1, 1, 50, 50, 0) + b"x", struct.pack("!QqHHB", 1, 1, 1, 1, 0) + b"\xff\xfe"],
)
def test_a_message_of_another_form_is_refused(message: bytes) -> None:
    with pytest.raises(TapFormatError):
        unpack(message)


def test_control_messages() -> None:
    assert unpack_text('{"type":"hello","worker_id":"w","next_seq":3}') == Hello("w", 3)
    overflow = '{"type":"overflow","from_seq":1,"to_seq":9,"spans":[{"sitting_id":"s","track_id":"t","t0_ms":0,"t1_ms":60}]}'
    assert unpack_text(overflow) == Overflow(1, 9, (Span("s", "t", 0, 60),))
    assert unpack_text('{"type":"later"}') is None
    for broken in ("", "[]", "{}", '{"type":"hello"}', '{"type":"overflow","from_seq":1,"to_seq":2,"spans":[{}]}'):
        with pytest.raises(TapFormatError):
            unpack_text(broken)
