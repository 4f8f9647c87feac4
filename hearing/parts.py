"""The parts of a sitting in session: who takes part, and what may be kept of each (J17, J18, J19; AV-3(2), AV-3(3))."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hearing.access import AccessClass
from hearing.model import PANEL, SILENT, Keeping, Part, Role, Sitting, SittingState

KEEPINGS: Mapping[Part, tuple[Keeping, ...]] = MappingProxyType(
    {
        Part.OPEN: (Keeping.FULL,),
        Part.CLOSED: (Keeping.SEALED, Keeping.NONE),
        Part.MEDIATION: (Keeping.NONE,),
        Part.DELIBERATION: (Keeping.NONE,),
    }
)
"""What a ruling may say of each part; the first is what holds when it says nothing."""

PART_NAMES: Mapping[Part, str] = MappingProxyType(
    {Part.OPEN: "公开审理", Part.CLOSED: "不公开审理", Part.MEDIATION: "调解", Part.DELIBERATION: "合议"}
)


def takes_part(part: Part, role: Role) -> bool:
    """Whether people of this role stay in the courtroom in this part: observers go first, then all but the panel."""
    match part:
        case Part.OPEN:
            return True
        case Part.CLOSED | Part.MEDIATION:
            return role not in SILENT
        case Part.DELIBERATION:
            return role in PANEL


def kept(sitting: Sitting) -> Keeping:
    """What is kept of this moment: nothing out of session."""
    return sitting.keeping if sitting.state is SittingState.IN_SESSION else Keeping.NONE


def access_of(keeping: Keeping) -> AccessClass:
    """The class of what is recorded in a part that is kept so; where nothing is, none begins."""
    return AccessClass.SEALED if keeping is Keeping.SEALED else AccessClass.PARTIES
