"""Access classes of what is recorded (S21), and who may have what: by the role in this hearing alone (AV-16, OLR-27)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from hearing.model import Role


class AccessClass(StrEnum):
    """Who may have a recorded piece (a segment, a line, a showing), in order from everybody to nearly nobody."""

    PUBLIC = "public"  # 公开
    PARTIES = "parties"  # 当事人: what is said in session, unless something else was ruled
    PANEL = "panel"  # 合议庭
    SEALED = "sealed"  # 封存


ORDER = tuple(AccessClass)
NAMES: Mapping[AccessClass, str] = MappingProxyType(
    {
        AccessClass.PUBLIC: "公开",
        AccessClass.PARTIES: "当事人",
        AccessClass.PANEL: "合议庭",
        AccessClass.SEALED: "封存",
    }
)
_CLEARANCE: Mapping[Role, AccessClass] = MappingProxyType(
    {
        Role.PRESIDING_JUDGE: AccessClass.SEALED,
        Role.JUDGE: AccessClass.PANEL,
        Role.ASSESSOR: AccessClass.PANEL,
        Role.CLERK: AccessClass.PANEL,
        Role.PLAINTIFF: AccessClass.PARTIES,
        Role.DEFENDANT: AccessClass.PARTIES,
        Role.THIRD_PARTY: AccessClass.PARTIES,
        Role.AGENT: AccessClass.PARTIES,
        Role.WITNESS: AccessClass.PUBLIC,
        Role.EXPERT: AccessClass.PUBLIC,
        Role.INTERPRETER: AccessClass.PUBLIC,
        Role.OBSERVER: AccessClass.PUBLIC,
    }
)


def clearance(role: Role | None) -> AccessClass:
    """The strictest class that a person of this role in the hearing may have.

    None: a clerk of the court who manages the hearing without sitting in it has what the parties have.
    """
    return AccessClass.PARTIES if role is None else _CLEARANCE[role]


def may_have(holder: AccessClass, piece: AccessClass) -> bool:
    """Whether who is cleared for `holder` may have a piece of the class `piece`."""
    return ORDER.index(piece) <= ORDER.index(holder)


def strictest(classes: Iterable[AccessClass]) -> AccessClass:
    """The class of what is made of pieces of these classes; PUBLIC of nothing."""
    return max(classes, key=ORDER.index, default=AccessClass.PUBLIC)
