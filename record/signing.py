"""Signatures over exact bytes, in a file of their own beside what they sign."""

from __future__ import annotations

import hashlib

from record.keys import CourtKey
from record.verify import canonical, signature_document


def signature_bytes(key: CourtKey, signed: str, data: bytes) -> bytes:
    """The signature file of `data`, which stands beside it under the name `signed` (manifest.json, package.json)."""
    sha256 = hashlib.sha256(data).hexdigest()
    return canonical(signature_document(signed, sha256, key.public_bytes, key.sign(data)))
