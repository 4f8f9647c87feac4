"""May the court open? What would keep the sitting from being recorded whole, found out before 宣布开庭 (J3; AV-3, AV-4).

Run on the server, for the page and again inside `sitting.open`: what is red refuses the command unless the presiding judge
gives a reason, which goes into the ledger and from there into the statement on faults.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

import structlog

from hearing.model import PANEL, PARTIES, Hearing, Role, Sitting, SittingId
from media.control import MediaError, PlaceState, SpoolProbe
from record.acts import ROLE_NAMES
from signaling.alarms import FAULTS
from signaling.clock_watch import APART_S, ClockWatch
from signaling.fleet import Fleet
from signaling.parts import Parts
from signaling.store_watch import StoresState, StoreWatch, words_of

log = structlog.get_logger("signaling.preflight")

PROBE_WITHIN_S = 4.0
CheckState = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `code` is stable; `words` say what was found and what to do.

    A failed check that is `final` cannot be overridden.
    """

    code: str  # recorder | spool | store_a | store_b | shipper | clock | presiding | clerk | panel | parties
    state: CheckState
    words: str
    final: bool = False


class Preflight:
    """Asks the media worker, the stores' watch, the clock and the list of those present."""

    def __init__(self, parts: Parts, fleet: Fleet, stores: StoreWatch, clocks: ClockWatch) -> None:
        self._parts = parts
        self._fleet = fleet
        self._stores = stores
        self._clocks = clocks

    async def run(self, sitting_id: SittingId) -> tuple[Check, ...]:
        """Every check, in the order in which they are shown. Raises UnknownId."""
        hearing, sitting = await self._parts.hearings.load(sitting_id)
        probe = await self._probe(sitting_id)
        stores = self._stores.state()
        return (
            _recorder(probe), _spool(probe, stores), _store("a", stores.a), _store("b", stores.b), _shipper(stores),
            await self._clock(probe), *_people(hearing, sitting),
        )  # fmt: skip

    async def _probe(self, sitting_id: SittingId) -> SpoolProbe | None:
        """Of the worker that will record; None: it does not answer."""
        url = await self._parts.hearings.worker_of(sitting_id) or self._fleet.lightest({})
        try:
            async with asyncio.timeout(PROBE_WITHIN_S):
                return await self._parts.media(url).probe_spool()
        except (MediaError, TimeoutError) as error:
            log.warning("worker does not answer", sitting_id=sitting_id, problem=type(error).__name__)
            return None

    async def _clock(self, probe: SpoolProbe | None) -> Check:
        state = await self._clocks.state()
        apart_s = max(state.apart_s or 0.0, self._clocks.apart_s(probe.at, probe.took_ms) if probe else 0.0)
        if state.stepped_s:
            words = f"服务器时钟在十分钟内被改动了 {state.stepped_s:+.1f} 秒；请技术人员确认时间准确后再开庭"
            return Check("clock", "fail", words)
        if apart_s > APART_S:
            return Check("clock", "fail", f"各服务器的时钟相差 {apart_s:.1f} 秒；请技术人员校准后再开庭")
        if not state.synchronised:
            return Check("clock", "warn", "服务器没有与标准时间同步；录制时间以服务器时钟为准，请技术人员核对")
        return Check("clock", "ok", f"与标准时间同步，误差不超过 {state.max_error_ms or 0:.0f} 毫秒")


def failed(checks: tuple[Check, ...]) -> tuple[str, ...]:
    """Codes of what stands against opening."""
    return tuple(check.code for check in checks if check.state == "fail")


def _recorder(probe: SpoolProbe | None) -> Check:
    if probe is None:
        return Check("recorder", "fail", "录制服务没有回应；请技术人员检查音视频服务后再开庭")
    if probe.code != "ok":
        title, _ = FAULTS.get(probe.code, ("试写的内容读回不一致", ""))
        return Check("recorder", "fail", f"{title}；请技术人员检查录制服务器的磁盘后再开庭")
    return Check("recorder", "ok", f"已试写并读回，用时 {probe.took_ms} 毫秒")


def _spool(probe: SpoolProbe | None, stores: StoresState) -> Check:
    match stores.space:
        case "exhausted":
            return Check("spool", "fail", words_of("spool_full"), final=True)
        case "low":
            return Check("spool", "warn", words_of("spool_low"))
        case "unknown" if probe is None:
            return Check("spool", "fail", "不知道录制磁盘还有多少空间；请技术人员检查")
        case _:
            free = stores.free_bytes if stores.free_bytes is not None else probe.free_bytes if probe else 0
            return Check("spool", "ok", f"录制磁盘还有 {free / 1024**3:.0f} GB")


def _store(name: str, place: PlaceState | None) -> Check:
    code = f"store_{name}"
    if place is None:
        return Check(code, "fail", "还没有收到存储状态；请稍候重新检查，仍不通过请通知技术人员")
    if place.code != "ok":
        return Check(code, "fail", words_of(f"{code}_{place.code}"))
    return Check(code, "ok", "可以写入并读回")


def _shipper(stores: StoresState) -> Check:
    """What is wrong between spool and stores. A backlog alone is no reason not to open: nothing is lost by it."""
    codes = [trouble.code for trouble in stores.troubles]
    if "shipper_silent" in codes:
        return Check("shipper", "fail", words_of("shipper_silent"))
    others = [code for code in codes if code.startswith("shipping_") or code in {"segments_held", "backlog_late"}]
    if others:
        return Check("shipper", "warn", words_of(others[0]))
    return Check("shipper", "ok", "正在归档，没有积压" if not stores.backlog_segments else "正在归档")


def _people(hearing: Hearing, sitting: Sitting) -> tuple[Check, ...]:
    return (
        _present(hearing, sitting, "presiding", {Role.PRESIDING_JUDGE}, "fail"),
        _present(hearing, sitting, "clerk", {Role.CLERK}, "fail"),
        _present(hearing, sitting, "panel", PANEL, "fail"),
        _present(hearing, sitting, "parties", PARTIES, "warn"),
    )


def _present(hearing: Hearing, sitting: Sitting, code: str, roles: set[Role] | frozenset[Role], otherwise: CheckState) -> Check:
    missing = [p for p in hearing.participants if p.role in roles and p.id not in sitting.present]
    if not any(p.role in roles for p in hearing.participants):
        return Check(code, otherwise, "本案没有安排" + "、".join(ROLE_NAMES[role] for role in sorted(roles)))
    if missing:
        names = "、".join(f"{ROLE_NAMES[p.role]}{p.name}" for p in missing)
        return Check(code, otherwise, f"{names}尚未进入法庭")
    return Check(code, "ok", "已进入法庭")
