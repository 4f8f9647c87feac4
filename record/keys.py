"""The court's signing key (Ed25519 or SM2): made on first start in the folder of secrets, never inside the data.

A key may follow another (rotation, or a change of COURT_SIGNATURE). Both sign the succession (密钥交接), which travels in
every package as keys.json: an older record and a package of today then count as signed by one court.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from hearing.timeline import Clock, iso_utc, whole_ms
from record.sm2 import Sm2PrivateKey, public_pem
from record.verify import KEYS_SCHEMA, algorithm_of, canonical, fingerprint_of, succession_bytes
from storage.clock import SystemClock
from storage.durable import sync_folder, write_secret_once

Algorithm = Literal["ed25519", "sm2"]

KEY_FILE = "court-signing-key.pem"
PUBLIC_FILE = "court-signing-key.pub.pem"
SUCCESSIONS_FILE = "court-signing-key-successions.json"
_FILES: Mapping[str, str] = MappingProxyType({"ed25519": KEY_FILE, "sm2": "court-signing-key-sm2.pem"})
_CLOCK = SystemClock()


class UnusableKey(Exception):
    """The key file is there but holds no private key of the algorithm that is set."""


@dataclass(frozen=True, slots=True)
class CourtKey:
    """The key with which records are sealed; `lineage` is keys.json, empty if there is none. `repr` shows the fingerprint."""

    private: Ed25519PrivateKey | Sm2PrivateKey
    lineage: bytes = b""

    @property
    def public_bytes(self) -> bytes:
        """The raw public key: 32 bytes of Ed25519 (RFC 8032), or 65 of SM2 (04, x, y)."""
        if isinstance(self.private, Sm2PrivateKey):
            return self.private.public_bytes
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def algorithm(self) -> str:
        return algorithm_of(self.public_bytes)

    @property
    def fingerprint(self) -> str:
        """What the court publishes: SHA-256 of the raw public key, hex."""
        return fingerprint_of(self.public_bytes)

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data)

    def __repr__(self) -> str:
        return f"CourtKey({self.fingerprint})"


def court_key(folder: Path, algorithm: Algorithm = "ed25519", clock: Clock = _CLOCK) -> CourtKey:
    """The court's key, made when there is none; several processes may start at once. Raises UnusableKey."""
    path = folder / _FILES[algorithm]
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        write_secret_once(path, _private_pem(_generate(algorithm)))
        for other in _FILES.keys() - {algorithm}:
            if (folder / _FILES[other]).exists():
                before = CourtKey(_load(folder / _FILES[other], other))
                _add_succession(folder, before, CourtKey(_load(path, algorithm)), clock.now())
    key = CourtKey(_load(path, algorithm), _lineage(folder))
    public = path.with_suffix(".pub.pem")
    if not public.exists():
        write_secret_once(public, _public_pem(key))
    return key


def rotate(
    folder: Path, algorithm: Algorithm, clock: Clock = _CLOCK, *, compromised: bool = False
) -> tuple[CourtKey, CourtKey]:
    """Replace the key by a new one and return (old, new). The old private key is gone afterwards: it signs nothing any more.

    `compromised`: no succession is written, because whoever stole the old key could sign with it; records sealed with it
    verify with its own fingerprint only.
    """
    old = court_key(folder, algorithm, clock)
    new = CourtKey(_generate(algorithm))
    if not compromised:
        _add_succession(folder, old, new, clock.now())
    path = folder / _FILES[algorithm]
    _replace(path.with_suffix(".pub.pem"), _public_pem(new))
    _replace(path, _private_pem(new.private))
    return old, court_key(folder, algorithm, clock)


def successions(key: CourtKey) -> list[dict[str, Any]]:
    """The hand-overs so far, oldest first."""
    return list(json.loads(key.lineage)["successions"]) if key.lineage else []


def _add_succession(folder: Path, old: CourtKey, new: CourtKey, at: datetime) -> None:
    signed = succession_bytes(old.public_bytes.hex(), new.public_bytes.hex(), iso_utc(whole_ms(at)))
    entry = json.loads(signed) | {"old_signature": old.sign(signed).hex(), "new_signature": new.sign(signed).hex()}
    known = successions(CourtKey(old.private, _lineage(folder)))
    if any((s["old"], s["new"]) == (entry["old"], entry["new"]) for s in known):
        return
    _replace(folder / SUCCESSIONS_FILE, canonical({"schema": KEYS_SCHEMA, "successions": [*known, entry]}))


def _lineage(folder: Path) -> bytes:
    path = folder / SUCCESSIONS_FILE
    return path.read_bytes() if path.exists() else b""


def _generate(algorithm: str) -> Ed25519PrivateKey | Sm2PrivateKey:
    return Sm2PrivateKey.generate() if algorithm == "sm2" else Ed25519PrivateKey.generate()


def _private_pem(private: Ed25519PrivateKey | Sm2PrivateKey) -> bytes:
    if isinstance(private, Sm2PrivateKey):
        return private.to_pem()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_pem(key: CourtKey) -> bytes:
    if isinstance(key.private, Sm2PrivateKey):
        return public_pem(key.public_bytes)
    return key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _load(path: Path, algorithm: str) -> Ed25519PrivateKey | Sm2PrivateKey:
    try:
        pem = path.read_bytes()
        private = Sm2PrivateKey.from_pem(pem) if algorithm == "sm2" else load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableKey(f"签名密钥无法读取：{path.name}") from error
    if not isinstance(private, Ed25519PrivateKey | Sm2PrivateKey):
        raise UnusableKey(f"签名密钥不是所设算法的密钥：{path.name}")
    return private


def _replace(path: Path, content: bytes) -> None:
    """Write a file of the folder of secrets anew, whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    write_secret_once(draft, content)
    draft.replace(path)
    sync_folder(path.parent)
