"""The court's key: made once, readable by its owner only, never shown."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from record.keys import KEY_FILE, UnusableKey, court_key, rotate, successions
from record.signing import signature_bytes
from record.sm2 import Sm2PrivateKey
from record.verify import ed25519_verify, fingerprint_of, signature_holds, succession_bytes


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    first, second = court_key(tmp_path / "keys"), court_key(tmp_path / "keys")
    assert first.fingerprint == second.fingerprint
    assert len(first.fingerprint) == 64
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert not [path for path in (tmp_path / "keys").iterdir() if path.name.startswith(".")]


def test_it_does_not_show_itself(tmp_path: Path) -> None:
    key = court_key(tmp_path)
    assert repr(key) == f"CourtKey({key.fingerprint})"


def test_what_is_no_key_is_refused_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"not a key")
    with pytest.raises(UnusableKey):
        court_key(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == b"not a key"


def test_a_signature_file_holds_what_verification_needs(tmp_path: Path) -> None:
    key = court_key(tmp_path)
    document = json.loads(signature_bytes(key, "manifest.json", b"{}"))
    assert ed25519_verify(bytes.fromhex(document["public_key"]), b"{}", bytes.fromhex(document["signature"]))
    assert (document["fingerprint"], document["signed"]) == (key.fingerprint, "manifest.json")


def test_a_new_key_is_signed_by_the_old_and_the_old_is_gone(tmp_path: Path) -> None:
    for algorithm in ("ed25519", "sm2"):
        folder = tmp_path / algorithm
        old, new = rotate(folder, algorithm)
        assert court_key(folder, algorithm).fingerprint == new.fingerprint != old.fingerprint
        (step,) = successions(new)
        assert [fingerprint_of(bytes.fromhex(step[name])) for name in ("old", "new")] == [old.fingerprint, new.fingerprint]
        signed = succession_bytes(step["old"], step["new"], step["at"])
        for key, name in ((old, "old_signature"), (new, "new_signature")):
            assert signature_holds(key.public_bytes, signed, bytes.fromhex(step[name]))
        kept = b"".join(path.read_bytes() for path in folder.iterdir())
        pem = old.private.to_pem() if isinstance(old.private, Sm2PrivateKey) else pem_of(old.private)
        assert pem not in kept
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def pem_of(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_another_algorithm_is_a_hand_over_once(tmp_path: Path) -> None:
    first = court_key(tmp_path)
    second = court_key(tmp_path, "sm2")
    assert (first.algorithm, second.algorithm) == ("Ed25519", "SM2-SM3")
    assert len(successions(second)) == len(successions(court_key(tmp_path, "sm2"))) == 1
    assert court_key(tmp_path).fingerprint == first.fingerprint, "the way back needs no new key"


def test_after_a_theft_there_is_no_hand_over(tmp_path: Path) -> None:
    old, new = rotate(tmp_path, "ed25519", compromised=True)
    assert old.fingerprint != new.fingerprint
    assert successions(new) == []


def test_a_key_of_the_other_algorithm_is_refused(tmp_path: Path) -> None:
    court_key(tmp_path)
    (tmp_path / "court-signing-key-sm2.pem").write_bytes((tmp_path / KEY_FILE).read_bytes())
    with pytest.raises(UnusableKey):
        court_key(tmp_path, "sm2")
    (tmp_path / KEY_FILE).write_bytes(Sm2PrivateKey.generate().to_pem())
    with pytest.raises(UnusableKey):
        court_key(tmp_path)
