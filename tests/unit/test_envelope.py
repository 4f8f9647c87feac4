"""Objects at rest: every range comes back, and nothing changed, moved or cut goes unseen."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.envelope import CHUNK_BYTES, HEADER_BYTES, TAG_BYTES, Algorithm, Damaged, DataKey, Envelope, stored_bytes

NAME = "courts/court_1/sittings/sit_1/tracks/part_1-audio/000007.webm"
SIZES = (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES)
SECRET = {algorithm: DataKey.new(algorithm) for algorithm in Algorithm}


def sealed(content: bytes, key: DataKey, name: str = NAME) -> bytes:
    return b"".join(Envelope(key, name, len(content)).encrypt(io.BytesIO(content)))


def opened(stored: bytes, key: DataKey, content_bytes: int, start: int = 0, end: int | None = None, name: str = NAME) -> bytes:
    """[start, end) as a store reads it."""
    end = content_bytes if end is None else min(end, content_bytes)
    envelope = Envelope(key, name, content_bytes)
    at, to, number = envelope.span(start, end)
    chunks = [
        stored[n : min(to, n + CHUNK_BYTES + TAG_BYTES)] for n in range(at, min(to, len(stored)), CHUNK_BYTES + TAG_BYTES)
    ]
    plain = b"".join(envelope.decrypt(number + n, chunk) for n, chunk in enumerate(chunks))
    skip = start % CHUNK_BYTES
    return plain[skip : skip + max(0, end - start)]


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("size", SIZES)
def test_what_goes_in_comes_out_and_is_not_there_in_clear(algorithm: Algorithm, size: int) -> None:
    key, content = SECRET[algorithm], os.urandom(size)
    stored = sealed(content, key)
    assert len(stored) == stored_bytes(size)
    assert opened(stored, key, size) == content
    assert size < 16 or content[:16] not in stored


@given(st.integers(0, 3 * CHUNK_BYTES), st.integers(0, 3 * CHUNK_BYTES))
def test_any_range_is_cut_as_python_cuts(start: int, end: int) -> None:
    content = bytes(range(256)) * (3 * CHUNK_BYTES // 256)
    key = SECRET[Algorithm.AES_256_GCM]
    if start < len(content):
        assert opened(_STORED, key, len(content), start, end) == content[start:end]


_STORED = sealed(bytes(range(256)) * (3 * CHUNK_BYTES // 256), SECRET[Algorithm.AES_256_GCM])


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("at", [HEADER_BYTES, HEADER_BYTES + CHUNK_BYTES, -1])
def test_a_changed_byte_is_found(algorithm: Algorithm, at: int) -> None:
    key, content = SECRET[algorithm], bytes(2 * CHUNK_BYTES)
    stored = bytearray(sealed(content, key))
    stored[at] ^= 1
    with pytest.raises(Damaged):
        opened(bytes(stored), key, len(content))


def test_dropped_swapped_and_cut_chunks_and_another_name_are_found() -> None:
    key, content = SECRET[Algorithm.AES_256_GCM], os.urandom(3 * CHUNK_BYTES)
    stored, size = sealed(content, key), CHUNK_BYTES + TAG_BYTES
    head, one, two, three = stored[:16], *(stored[16 + n * size : 16 + (n + 1) * size] for n in range(3))
    for changed, length in (
        (head + two + one + three, 3 * CHUNK_BYTES),
        (head + one + three, 2 * CHUNK_BYTES),
        (head + one + two, 2 * CHUNK_BYTES),  # cut at the end, with the length made to fit
    ):
        with pytest.raises(Damaged):
            opened(changed, key, length)
    with pytest.raises(Damaged):
        opened(stored, key, len(content), name=NAME.replace("000007", "000008"))
    with pytest.raises(Damaged):
        opened(stored, DataKey.new(Algorithm.AES_256_GCM), len(content))


def test_a_key_shows_nothing_of_itself() -> None:
    key = SECRET[Algorithm.SM4_GCM]
    assert key.secret.hex() not in repr(key)
    assert repr(key.secret) not in repr(key)
