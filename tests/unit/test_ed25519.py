"""The verifier's own Ed25519 against RFC 8032 and against an independent implementation."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from record.verify import ed25519_verify

RFC_8032 = [  # section 7.1, TEST 1 to 3: public key, message, signature
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]  # fmt: skip
L = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize(("public_key", "message", "signature"), RFC_8032)
def test_the_vectors_of_the_rfc(public_key: str, message: str, signature: str) -> None:
    assert ed25519_verify(bytes.fromhex(public_key), bytes.fromhex(message), bytes.fromhex(signature))


@settings(max_examples=15, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200), bit=st.integers(0, 511))
def test_it_takes_what_cryptography_signs_and_nothing_else(seed: bytes, message: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public_key, signature = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), private.sign(message)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert ed25519_verify(public_key, message, signature)
    assert not ed25519_verify(public_key, message, bytes(flipped))
    assert not ed25519_verify(public_key, message + b"x", signature)


def test_a_scalar_beyond_the_order_is_refused() -> None:
    public_key, message, signature = (bytes.fromhex(part) for part in RFC_8032[1])
    scalar = int.from_bytes(signature[32:], "little") + L  # the same point, a second writing of the same signature
    assert not ed25519_verify(public_key, message, signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize(
    ("public_key", "signature"), [(b"", bytes(64)), (bytes(32), b""), (b"\xff" * 32, bytes(64)), (bytes(31), bytes(63))]
)
def test_what_is_no_key_or_signature_is_refused(public_key: bytes, signature: bytes) -> None:
    assert not ed25519_verify(public_key, b"", signature)
