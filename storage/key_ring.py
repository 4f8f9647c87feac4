"""The wrapping keys: one per access class, in the folder of secrets, outside database and object stores (S23).

An object's data key lies in the database wrapped by the key of its class. Moving an object to another class, or destroying
it lawfully where the store forbids deletion, is then work on keys alone. Keys are never overwritten: rotation adds
`<class>-<n + 1>.key`; the highest number wraps, all unwrap.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from storage.durable import write_secret_once
from storage.envelope import NONCE_BYTES, Algorithm, Damaged, seal, unseal
from storage.objects import StorageError

_FILE = re.compile(r"([a-z]+)-(\d{1,6})\.key")


class UnknownKey(StorageError):
    """A wrapping key is not in this folder: it was lost, or this process may not have it."""

    code = "key_missing"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key as the database keeps it; `wrapping_key` names the key that opens it."""

    wrapping_key: str
    secret: bytes


class KeyRing:
    """The wrapping keys of one installation. A class's first key is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def wrap(self, algorithm: Algorithm, secret: bytes, key_class: str, name: str) -> Wrapped:
        """`name` is the object's key: a wrapped key does not open under another name."""
        wrapping_key = self._newest(key_class) or self._make(f"{key_class}-1")
        nonce = os.urandom(NONCE_BYTES)
        return Wrapped(wrapping_key, nonce + seal(algorithm, self._load(wrapping_key, algorithm), nonce, secret, name.encode()))

    def unwrap(self, algorithm: Algorithm, wrapped: Wrapped, name: str) -> bytes:
        """The data key; raises UnknownKey, Damaged."""
        nonce, sealed = wrapped.secret[:NONCE_BYTES], wrapped.secret[NONCE_BYTES:]
        return unseal(algorithm, self._load(wrapped.wrapping_key, algorithm), nonce, sealed, name.encode())

    def rotate(self, key_class: str) -> str:
        """A new key for what is wrapped from now on; returns its name."""
        newest = self._newest(key_class)
        number = int(newest.rpartition("-")[2]) + 1 if newest else 1
        return self._make(f"{key_class}-{number}")

    def newest(self, key_class: str) -> str:
        """Name of the key that wraps now; raises UnknownKey where the class has none yet."""
        found = self._newest(key_class)
        if found is None:
            raise UnknownKey(key_class)
        return found

    def _newest(self, key_class: str) -> str | None:
        found = (_FILE.fullmatch(path.name) for path in self._folder.glob(f"{key_class}-*.key"))
        numbers = [int(match[2]) for match in found if match and match[1] == key_class]
        return f"{key_class}-{max(numbers)}" if numbers else None

    def _load(self, wrapping_key: str, algorithm: Algorithm) -> bytes:
        try:
            secret = (self._folder / f"{wrapping_key}.key").read_bytes()
        except FileNotFoundError:
            raise UnknownKey(wrapping_key) from None
        if len(secret) != Algorithm.AES_256_GCM.key_bytes:
            raise Damaged(f"wrapping key {wrapping_key} has {len(secret)} bytes")
        return secret[: algorithm.key_bytes]

    def _make(self, wrapping_key: str) -> str:
        """Whole on the disk before it is used; when another process was first, its key stays."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret_once(self._folder / f"{wrapping_key}.key", os.urandom(Algorithm.AES_256_GCM.key_bytes))
        return wrapping_key
