"""Digests, sides and names of exhibits."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.integrity import FILE_NAME_MAX, Digests, clean_file_name, clean_text, exhibit_number, side_of
from hearing.model import Participant, ParticipantId, Role, Side


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_digests_do_not_depend_on_the_pieces(pieces: list[bytes]) -> None:
    digests, whole = Digests(), b"".join(pieces)
    for piece in pieces:
        digests.update(piece)
    assert (digests.bytes, digests.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert digests.sm3 == hashlib.new("sm3", whole).hexdigest()


def test_sm3_of_the_standard() -> None:
    digests = Digests()
    digests.update(b"abc")  # GB/T 32905-2016, annex A.1
    assert digests.sm3 == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


@pytest.mark.parametrize(
    ("role", "represented", "side"),
    [
        (Role.PLAINTIFF, None, Side.PLAINTIFF),
        (Role.AGENT, Role.DEFENDANT, Side.DEFENDANT),
        (Role.AGENT, Role.THIRD_PARTY, Side.THIRD_PARTY),
        (Role.AGENT, None, None),
        (Role.CLERK, None, Side.COURT),
        (Role.PRESIDING_JUDGE, None, Side.COURT),
        (Role.WITNESS, None, None),
        (Role.OBSERVER, None, None),
    ],
)
def test_whose_exhibit_it_is(role: Role, represented: Role | None, side: Side | None) -> None:
    assert side_of(Participant(ParticipantId("part_1"), role, "某", ""), represented) is side


def test_numbers_as_they_are_called_out() -> None:
    assert exhibit_number(Side.DEFENDANT, 3) == "被告证据3"


def test_texts_lose_what_cannot_be_seen() -> None:
    assert clean_text(" 借\u202e条\x00\n（原件） ") == "借条 （原件）"


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [("C:\\tmp\\借条.pdf", "借条.pdf"), ("../../etc/passwd", "passwd"), ("", "未命名"), ("..", "未命名"), ("/", "未命名")],
)
def test_a_file_name_is_bare(given_name: str, kept: str) -> None:
    assert clean_file_name(given_name) == kept


def test_a_long_file_name_keeps_its_ending() -> None:
    kept = clean_file_name("长" * 500 + ".pdf")
    assert len(kept) == FILE_NAME_MAX
    assert kept.endswith(".pdf")
