"""The form in which objects lie at rest: authenticated encryption in chunks, so that a range can be read alone. Pure.

    header (16 bytes)  "RCE1" · algorithm · log2 of the chunk size · 2 zero bytes · 7 bytes of nonce · 1 zero byte
    chunk n            AEAD(data key, nonce ‖ n as 4 bytes ‖ 1 where it is the last, else 0, plaintext), tag of 16 bytes behind

This is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance, 2015): chunks cannot be dropped, swapped or cut off unseen. The header and the object's key are
authenticated with every chunk, so that one object cannot be put in another's place. Every object has a data key of its
own; the same key and nonce are used again only for the same content.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.objects import StorageError

MAGIC = b"RCE1"
HEADER_BYTES, TAG_BYTES, NONCE_BYTES, PREFIX_BYTES = 16, 16, 12, 7
CHUNK_LOG2 = 16
CHUNK_BYTES = 1 << CHUNK_LOG2


class Algorithm(StrEnum):
    """Both with 128 bits of authentication; SM4 where the court must use national algorithms (GB/T 32907)."""

    AES_256_GCM = "aes-256-gcm"
    SM4_GCM = "sm4-gcm"

    @property
    def key_bytes(self) -> int:
        return 32 if self is Algorithm.AES_256_GCM else 16


_NUMBER = {Algorithm.AES_256_GCM: 1, Algorithm.SM4_GCM: 2}


class Damaged(StorageError):
    """What is stored is not what was encrypted: changed, cut, or under another key."""

    code = "object_damaged"


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of one object; `prefix` is its share of the nonce. `repr` shows neither."""

    algorithm: Algorithm
    secret: bytes
    prefix: bytes

    @staticmethod
    def new(algorithm: Algorithm) -> DataKey:
        return DataKey(algorithm, os.urandom(algorithm.key_bytes), os.urandom(PREFIX_BYTES))

    def __repr__(self) -> str:
        return f"DataKey({self.algorithm})"


def seal(algorithm: Algorithm, key: bytes, nonce: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Ciphertext with its tag behind."""
    if algorithm is Algorithm.AES_256_GCM:
        return AESGCM(key).encrypt(nonce, plaintext, context)
    encryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(context)
    return encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag


def unseal(algorithm: Algorithm, key: bytes, nonce: bytes, sealed: bytes, context: bytes) -> bytes:
    """The plaintext; raises Damaged."""
    try:
        if algorithm is Algorithm.AES_256_GCM:
            return AESGCM(key).decrypt(nonce, sealed, context)
        decryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce, sealed[-TAG_BYTES:])).decryptor()
        decryptor.authenticate_additional_data(context)
        return decryptor.update(sealed[:-TAG_BYTES]) + decryptor.finalize()
    except (InvalidTag, ValueError) as error:
        raise Damaged from error


def stored_bytes(content_bytes: int) -> int:
    """How large an object of so many bytes is at rest."""
    return HEADER_BYTES + content_bytes + TAG_BYTES * chunks_in(content_bytes)


def chunks_in(content_bytes: int) -> int:
    return max(1, -(-content_bytes // CHUNK_BYTES))


class Envelope:
    """One object's envelope: `name` is the object's key, `content_bytes` its length in clear."""

    def __init__(self, key: DataKey, name: str, content_bytes: int) -> None:
        self._key = key
        self._header = MAGIC + bytes((_NUMBER[key.algorithm], CHUNK_LOG2, 0, 0)) + key.prefix + b"\0"
        self._context = self._header + name.encode()
        self._last = chunks_in(content_bytes) - 1

    def encrypt(self, content: IO[bytes]) -> Iterator[bytes]:
        """The envelope of what is read from `content`, piece by piece."""
        yield self._header
        for number in range(self._last + 1):
            yield seal(self._key.algorithm, self._key.secret, self._nonce(number), content.read(CHUNK_BYTES), self._context)

    @property
    def header(self) -> bytes:
        return self._header

    def span(self, start: int, end: int) -> tuple[int, int, int]:
        """Where the chunks that hold [start, end) lie at rest, and the number of the first: (from, to, number)."""
        first, last = start // CHUNK_BYTES, max(start, end - 1) // CHUNK_BYTES
        size = CHUNK_BYTES + TAG_BYTES
        return HEADER_BYTES + first * size, HEADER_BYTES + (last + 1) * size, first

    def decrypt(self, number: int, sealed: bytes) -> bytes:
        """The content of chunk `number`; raises Damaged."""
        return unseal(self._key.algorithm, self._key.secret, self._nonce(number), sealed, self._context)

    def _nonce(self, number: int) -> bytes:
        return self._key.prefix + number.to_bytes(4, "big") + bytes((number == self._last,))
