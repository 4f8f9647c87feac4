"""The court's key: made once, readable by its owner only, never shown."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from record.keys import KEY_FILE, UnusableKey, court_key
from record.signing import signature_bytes
from record.verify import ed25519_verify


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
