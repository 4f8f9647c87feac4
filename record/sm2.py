"""SM2 signing (GB/T 32918.2-2016) with the arithmetic that verify.py carries anyway, and randomness of the operating system.

Why not a library: `cryptography` has SM3 and SM4 but no SM2, and no other well-kept package offers it. Python's integers do
not run in constant time, so the secret scalar is hidden behind a random multiple of the order and walked in equal steps; who
can measure single signatures on the same machine needs a cryptographic machine (密码机) behind record/signing.py, and a court
that must use certified commercial cryptography (商用密码产品认证) needs one anyway.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from record.verify import (
    SM2_G,
    SM2_N,
    Affine,
    der,
    der_integer,
    der_items,
    sm2_add,
    sm2_digest,
)

_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")  # 1.2.840.10045.2.1
_SM2_CURVE = bytes.fromhex("06082a811ccf5501822d")  # 1.2.156.10197.1.301
_ALGORITHM = der(0x30, _EC_PUBLIC_KEY + _SM2_CURVE)
_SEQUENCE, _BITS, _OCTETS = 0x30, 0x03, 0x04


@dataclass(frozen=True, slots=True, repr=False)
class Sm2PrivateKey:
    """A private key: 1 ≤ scalar ≤ n - 2."""

    scalar: int

    @classmethod
    def generate(cls) -> Sm2PrivateKey:
        return cls(secrets.randbelow(SM2_N - 2) + 1)

    @property
    def public_bytes(self) -> bytes:
        """65 bytes: 04, x, y (GM/T 0009-2012 section 7.1)."""
        point = _times_base(self.scalar)
        return b"\x04" + b"".join(value.to_bytes(32, "big") for value in point)

    def sign(self, data: bytes) -> bytes:
        """DER signature (GM/T 0009-2012 section 7.3) with the default user id."""
        return self.sign_with(data, secrets.randbelow)

    def sign_with(self, data: bytes, below: Callable[[int], int]) -> bytes:
        """As sign(); `below(limit)` gives the random number (the standard's example fixes it)."""
        e = sm2_digest(self.public_bytes, data)
        while True:
            k = below(SM2_N - 1) + 1
            r = (e + _times_base(k)[0]) % SM2_N
            s = pow(1 + self.scalar, -1, SM2_N) * (k - r * self.scalar) % SM2_N
            if r and s and r + k != SM2_N:
                return der(_SEQUENCE, der_integer(r) + der_integer(s))

    def to_pem(self) -> bytes:
        """PKCS #8 (RFC 5958) holding an ECPrivateKey (RFC 5915), as OpenSSL writes and reads it."""
        private = (
            der_integer(1) + der(_OCTETS, self.scalar.to_bytes(32, "big")) + der(0xA1, der(_BITS, b"\0" + self.public_bytes))
        )
        return _pem("PRIVATE KEY", der(_SEQUENCE, der_integer(0) + _ALGORITHM + der(_OCTETS, der(_SEQUENCE, private))))

    @classmethod
    def from_pem(cls, pem: bytes) -> Sm2PrivateKey:
        """Raises ValueError when it is no SM2 key of ours."""
        try:
            ((_, outer),) = der_items(base64.b64decode("".join(pem.decode("ascii").split("-----")[2].split())))
            _version, (_, algorithm), (_, octets), *_ = der_items(outer)
            ((_, inner),) = der_items(octets)
            _one, (_, scalar), *_ = der_items(inner)
        except (ValueError, IndexError) as error:
            raise ValueError("not an SM2 private key") from error
        key = cls(int.from_bytes(scalar, "big"))
        if der(_SEQUENCE, algorithm) != _ALGORITHM or not 1 <= key.scalar <= SM2_N - 2:
            raise ValueError("not an SM2 private key")
        return key


def public_pem(public_key: bytes) -> bytes:
    """SubjectPublicKeyInfo (RFC 5480) of a 65 byte public key, for `openssl pkeyutl`."""
    return _pem("PUBLIC KEY", der(_SEQUENCE, _ALGORITHM + der(_BITS, b"\0" + public_key)))


def _pem(label: str, data: bytes) -> bytes:
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def _times_base(scalar: int) -> tuple[int, int]:
    """The scalar's multiple of the base point by a Montgomery ladder over scalar + a random multiple of the order."""
    hidden = scalar + SM2_N * (2 + secrets.randbelow(2**32))
    low: Affine = SM2_G
    high = sm2_add(SM2_G, SM2_G)
    for bit in f"{hidden:b}"[1:]:
        if bit == "1":
            low, high = sm2_add(low, high), sm2_add(high, high)
        else:
            low, high = sm2_add(low, low), sm2_add(low, high)
    assert low is not None
    return low
