"""The format's rules as the verifier holds them: canonical JSON, Merkle root, check code, spans, names of hashes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearing.ledger import canonical as ledger_canonical
from hearing.ledger import first_link
from record.verify import canonical, check_code, first_chain_hash, merkle_root, subtract

SPANS = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair)))


def test_canonical_json_is_one_writing() -> None:
    assert canonical({"b": [1, 2.5, None, True], "a": "证据"}) == '{"a":"证据","b":[1,2.5,null,true]}'.encode()
    with pytest.raises(ValueError):
        canonical(float("nan"))


def test_the_ledger_is_written_by_the_same_rules() -> None:
    value = {"actor": {"role": "clerk"}, "text": "到庭", "n": 1}
    assert canonical(value) == ledger_canonical(value)
    assert first_chain_hash("sit_1") == first_link("sit_1")


def test_merkle_root_of_three_files_by_hand() -> None:
    def leaf(path: str, digest: str) -> bytes:
        return hashlib.sha256(b"\x00" + f"{path}\n{digest}".encode()).digest()

    left = hashlib.sha256(b"\x01" + leaf("a", "1") + leaf("b", "2")).digest()
    assert merkle_root([("c", "3"), ("a", "1"), ("b", "2")]) == hashlib.sha256(b"\x01" + left + leaf("c", "3")).hexdigest()
    assert merkle_root([]) == hashlib.sha256(b"").hexdigest()


@given(st.dictionaries(st.text("abc/", min_size=1, max_size=4), st.text("01", min_size=1, max_size=3), min_size=1, max_size=9))
def test_merkle_root_changes_with_any_leaf(files: dict[str, str]) -> None:
    root = merkle_root(files.items())
    for path, digest in files.items():
        assert merkle_root({**files, path: digest + "x"}.items()) != root
        assert merkle_root((p, d) for p, d in files.items() if p != path) != root


def test_the_check_code_is_the_first_60_bits_without_letters_to_misread() -> None:
    assert check_code("0" * 64) == "0000-0000-0000"
    assert check_code("f" * 64) == "ZZZZ-ZZZZ-ZZZZ"
    assert check_code("084210842108421" + "9" * 49) == "1111-1111-1111"
    assert not set("ILOU") & set("".join(check_code(hashlib.sha256(bytes([n])).hexdigest()) for n in range(99)))


@given(span=SPANS, covers=st.lists(SPANS, max_size=6))
def test_subtract_leaves_exactly_what_no_cover_reaches(span: tuple[int, int], covers: list[tuple[int, int]]) -> None:
    left = {ms for t0, t1 in subtract(span, covers) for ms in range(t0, t1)}
    assert left == {ms for ms in range(*span) if not any(t0 <= ms < t1 for t0, t1 in covers)}
