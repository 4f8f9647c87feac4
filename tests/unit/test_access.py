"""Who may have what of a record: the whole table, written out a second time (S21)."""

from __future__ import annotations

from itertools import product

import pytest

from hearing.access import NAMES, ORDER, AccessClass, clearance, may_have, strictest
from hearing.model import Role

A = AccessClass
ALL = {A.PUBLIC, A.PARTIES, A.PANEL, A.SEALED}
MAY_HAVE: dict[Role | None, set[AccessClass]] = {
    Role.PRESIDING_JUDGE: ALL,
    Role.JUDGE: ALL - {A.SEALED},
    Role.ASSESSOR: ALL - {A.SEALED},
    Role.CLERK: ALL - {A.SEALED},
    Role.PLAINTIFF: {A.PUBLIC, A.PARTIES},
    Role.DEFENDANT: {A.PUBLIC, A.PARTIES},
    Role.THIRD_PARTY: {A.PUBLIC, A.PARTIES},
    Role.AGENT: {A.PUBLIC, A.PARTIES},
    Role.WITNESS: {A.PUBLIC},
    Role.EXPERT: {A.PUBLIC},
    Role.INTERPRETER: {A.PUBLIC},
    Role.OBSERVER: {A.PUBLIC},
    None: {A.PUBLIC, A.PARTIES},  # a clerk of the court who only manages the hearing
}


@pytest.mark.parametrize("role", [*Role, None])
def test_who_may_have_what(role: Role | None) -> None:
    assert {access for access in A if may_have(clearance(role), access)} == MAY_HAVE[role]


def test_the_strictest_of_several_is_the_one_that_fewest_may_have() -> None:
    for one, other in product(A, A):
        both = strictest([one, other])
        assert {holder for holder in A if may_have(holder, both)} == {
            holder for holder in A if may_have(holder, one) and may_have(holder, other)
        }
    assert strictest([]) is A.PUBLIC


def test_every_class_has_its_place_and_its_name() -> None:
    assert set(ORDER) == set(A) == set(NAMES)
