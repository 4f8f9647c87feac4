"""The court's signing key (Ed25519): made on first start in the folder of secrets, never inside the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from record.verify import fingerprint_of
from storage.durable import write_secret_once

KEY_FILE = "court-signing-key.pem"
PUBLIC_FILE = "court-signing-key.pub.pem"


class UnusableKey(Exception):
    """The key file is there but holds no Ed25519 private key."""


@dataclass(frozen=True, slots=True)
class CourtKey:
    """The key with which records are sealed. `repr` shows its fingerprint only."""

    private: Ed25519PrivateKey

    @property
    def public_bytes(self) -> bytes:
        """The 32 raw bytes of the public key (RFC 8032)."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def fingerprint(self) -> str:
        """What the court publishes: SHA-256 of the raw public key, hex."""
        return fingerprint_of(self.public_bytes)

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data)

    def __repr__(self) -> str:
        return f"CourtKey({self.fingerprint})"


def court_key(folder: Path) -> CourtKey:
    """The court's key, made when there is none; several processes may start at once. Raises UnusableKey."""
    path = folder / KEY_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        made = Ed25519PrivateKey.generate()
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_secret_once(path, pem)
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise UnusableKey(f"签名密钥无法读取：{path.name}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise UnusableKey(f"签名密钥不是 Ed25519 密钥：{path.name}")
    key = CourtKey(private)
    if not (folder / PUBLIC_FILE).exists():
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_secret_once(folder / PUBLIC_FILE, public)
    return key
