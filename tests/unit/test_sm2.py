"""SM2 and SM3 in plain Python: the standards' own examples, OpenSSL both ways, and what must not verify."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from record.sm2 import Sm2PrivateKey, public_pem
from record.verify import SM2_N, algorithm_of, der, der_integer, der_items, signature_holds, sm2_digest, sm2_verify, sm3_plain

# GB/T 32918.5-2017 annex A.2: signature on the recommended curve with the default user id
SCALAR = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
PUBLIC = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
MESSAGE = b"message digest"
E = 0xF0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640
K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
SIGNATURE = der(0x30, der_integer(R) + der_integer(S))


def test_the_example_of_the_signature_standard() -> None:
    key = Sm2PrivateKey(SCALAR)
    assert key.public_bytes == PUBLIC
    assert sm2_digest(PUBLIC, MESSAGE) == E
    assert key.sign_with(MESSAGE, lambda _limit: K - 1) == SIGNATURE
    assert sm2_verify(PUBLIC, MESSAGE, SIGNATURE)


@pytest.mark.parametrize(
    ("message", "digest"),
    [  # GB/T 32905-2016 annex A
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_the_examples_of_the_hash_standard(message: bytes, digest: str) -> None:
    assert sm3_plain(message).hex() == digest


@given(st.binary(max_size=300))
def test_the_plain_hash_is_that_of_openssl(data: bytes) -> None:
    assert sm3_plain(data) == hashlib.new("sm3", data).digest()


@settings(max_examples=15, deadline=None)
@given(message=st.binary(max_size=64), place=st.integers(0, 10**6), mask=st.integers(1, 255))
def test_a_changed_byte_never_verifies(message: bytes, place: int, mask: int) -> None:
    key = Sm2PrivateKey.generate()
    signature = key.sign(message)
    assert sm2_verify(key.public_bytes, message, signature)
    flipped = bytearray(signature)
    flipped[place % len(flipped)] ^= mask
    assert not sm2_verify(key.public_bytes, message, bytes(flipped))
    assert not sm2_verify(key.public_bytes, message + b"x", signature)


@pytest.mark.parametrize(
    ("r", "s"), [(0, S), (R, 0), (R + SM2_N, S), (R, S + SM2_N), (R, SM2_N - R), (-R, S), (SM2_N, S), (S, R)]
)
def test_numbers_outside_the_group_are_refused(r: int, s: int) -> None:
    assert not sm2_verify(PUBLIC, MESSAGE, der(0x30, der_integer(r) + der_integer(s)))


@pytest.mark.parametrize(
    "signature",
    [b"", b"\x30", b"\x30\x80", SIGNATURE + b"\x00", SIGNATURE[:-1], der(0x31, SIGNATURE[2:]), bytes(64),
     der(0x30, der(2, b"\x00" + SIGNATURE[4:37]) + SIGNATURE[37:])],
)  # fmt: skip
def test_an_encoding_that_is_not_der_is_refused(signature: bytes) -> None:
    assert not sm2_verify(PUBLIC, MESSAGE, signature)


@pytest.mark.parametrize("public", [PUBLIC[:-1] + b"\x00", b"\x02" + PUBLIC[1:], b"\x04" + bytes(64), PUBLIC[:33], b""])
def test_a_point_off_the_curve_is_refused(public: bytes) -> None:
    assert not sm2_verify(public, MESSAGE, SIGNATURE)


def test_the_algorithm_follows_from_the_key() -> None:
    assert (algorithm_of(PUBLIC), algorithm_of(bytes(32))) == ("SM2-SM3", "Ed25519")
    assert signature_holds(PUBLIC, MESSAGE, SIGNATURE)
    assert not signature_holds(bytes(32), MESSAGE, SIGNATURE)


def test_der_that_is_cut_is_refused() -> None:
    for broken in (b"\x30", b"\x30\x05\x01", b"\x30\x80\x00\x00", b"\x30\x85\x01\x01\x01\x01\x01"):
        with pytest.raises(ValueError, match="not DER"):
            der_items(broken)
    assert der_items(der(4, bytes(300))) == [(4, bytes(300))]


def openssl(folder: Path, *arguments: str) -> str:
    run = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


def test_openssl_verifies_ours_and_we_verify_its(tmp_path: Path) -> None:
    options = ("-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678")
    key = Sm2PrivateKey.generate()
    (tmp_path / "key.pem").write_bytes(key.to_pem())
    (tmp_path / "pub.pem").write_bytes(public_pem(key.public_bytes))
    (tmp_path / "data").write_bytes(MESSAGE)
    (tmp_path / "ours").write_bytes(key.sign(MESSAGE))
    verified = openssl(
        tmp_path, "pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", "-in", "data", "-sigfile", "ours", *options
    )
    assert "Signature Verified Successfully" in verified
    openssl(tmp_path, "pkeyutl", "-sign", "-inkey", "key.pem", "-in", "data", "-out", "theirs", *options)
    assert sm2_verify(key.public_bytes, MESSAGE, (tmp_path / "theirs").read_bytes())


def test_a_key_of_openssl_is_read(tmp_path: Path) -> None:
    openssl(tmp_path, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", "key.pem")
    key = Sm2PrivateKey.from_pem((tmp_path / "key.pem").read_bytes())
    assert sm2_verify(key.public_bytes, MESSAGE, key.sign(MESSAGE))
    assert Sm2PrivateKey.from_pem(key.to_pem()) == key
    assert repr(key).find(str(key.scalar)) == -1
    openssl(tmp_path, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "other.pem")
    for pem in ((tmp_path / "other.pem").read_bytes(), b"", b"not a key", b"-----BEGIN X-----\nAAAA\n-----END X-----"):
        with pytest.raises(ValueError, match="not an SM2 private key"):
            Sm2PrivateKey.from_pem(pem)
