"""Which access class the moments of a sitting have for the recorder: changes at the time of the deciding event (J17)."""

from __future__ import annotations

from hearing.access import AccessClass, strictest


class ClassChanges:
    """What is recorded from which moment on; `_ms` on the record clock."""

    __slots__ = ("_changes",)

    def __init__(self, access: AccessClass = AccessClass.PARTIES) -> None:
        self._changes: list[tuple[float, AccessClass]] = [(float("-inf"), access)]

    def change(self, from_ms: float, access: AccessClass) -> bool:
        """In force from `from_ms` on; later changes already known are replaced. False when it is so already."""
        self._changes = [change for change in self._changes if change[0] < from_ms]
        if self._changes[-1][1] is access:
            return False
        self._changes.append((from_ms, access))
        return True

    def of(self, t0_ms: float, t1_ms: float) -> AccessClass:
        """The strictest class of any moment in [t0, t1): a packet that reaches into a closed part belongs to it."""
        ends = [from_ms for from_ms, _ in self._changes[1:]] + [float("inf")]
        return strictest(
            access
            for (from_ms, access), end_ms in zip(self._changes, ends, strict=True)
            if end_ms > t0_ms and (from_ms < t1_ms or from_ms <= t0_ms)
        )
