"""Is the record reaching both stores, and is there disk for more? Judged by what shippers and media workers report (S6, J3).

In memory only; fail closed: before the first report, and after 15 s without one, the stores count as in trouble.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import structlog

from hearing.timeline import Clock
from media.control import PlaceState, StoreHealth, WorkerAlive
from signaling.error_codes import Refused

log = structlog.get_logger("signaling.stores")

SILENCE_S = 15.0
GONE_S, LOST_S = 600.0, 86_400.0
"""A host that is silent for so long was taken away, if another one still reports: with an empty spool, or with a full one."""
LATE_S = 60.0
"""A segment that has waited so long says that shipping is slower than recording."""

Space = Literal["enough", "low", "exhausted", "unknown"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong. `code` is stable (docs/operations.md "Alarms of the record"), `words` say what to do.

    The words hold no numbers that change by themselves, so that two lists of troubles can be compared.
    """

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class StoresState:
    """What holds now, all media hosts together (the worst of them). `troubles` is empty when all is well, gravest first."""

    troubles: tuple[Trouble, ...]
    a: PlaceState | None  # None: not heard of yet
    b: PlaceState | None
    backlog_segments: int
    backlog_bytes: int
    oldest_age_s: float
    free_bytes: int | None  # on the fullest media host; None: not known
    space: Space

    @property
    def ok(self) -> bool:
        return not self.troubles


@dataclass(frozen=True, slots=True)
class _Heard:
    health: StoreHealth
    at_s: float  # monotonic


class StoreWatch:
    """Hears StoreHealth and WorkerAlive; `state()` judges by the clock."""

    def __init__(self, clock: Clock, warn_bytes: int, stop_bytes: int, silence_s: float = SILENCE_S) -> None:
        self._clock = clock
        self._warn_bytes = warn_bytes
        self._stop_bytes = stop_bytes
        self._silence_s = silence_s
        self._hosts: dict[str, _Heard] = {}
        self._free: dict[str, tuple[int, float]] = {}
        self._logged: tuple[str, ...] = ()

    # --- what is said ----------------------------------------------------------------------

    def heard(self, report: StoreHealth) -> None:
        now_s = self._clock.monotonic()
        self._hosts[report.host] = _Heard(report, now_s)
        self._free[report.host] = (report.spool_free_bytes, now_s)
        self._log_changes()

    def heard_worker(self, report: WorkerAlive) -> None:
        """Media workers say once a second how much disk is left: known even while the shipper is away."""
        self._free[report.control_url] = (report.spool_free_bytes, self._clock.monotonic())

    def _forget_the_gone(self) -> None:
        """A media host that was taken out of service leaves the list by itself; the last one that reported never does."""
        now_s = self._clock.monotonic()
        newest_s = max((heard.at_s for heard in self._hosts.values()), default=0.0)
        for host, heard in list(self._hosts.items()):
            patience_s = LOST_S if heard.health.backlog_segments else GONE_S
            if heard.at_s < newest_s and now_s - heard.at_s > patience_s:
                del self._hosts[host]
                log.warning("host left", host=host, backlog_segments=heard.health.backlog_segments)
        newest_s = max((at_s for _, at_s in self._free.values()), default=0.0)
        self._free = {
            name: (free, at_s) for name, (free, at_s) in self._free.items() if at_s == newest_s or now_s - at_s <= GONE_S
        }

    def _log_changes(self) -> None:
        codes = tuple(trouble.code for trouble in self.state().troubles)
        if codes != self._logged:
            self._logged = codes
            (log.warning if codes else log.info)("stores", troubles=codes)

    # --- what holds ------------------------------------------------------------------------

    def state(self) -> StoresState:
        self._forget_the_gone()
        reports = [heard.health for heard in self._hosts.values()]
        a, b = _worst([report.a for report in reports]), _worst([report.b for report in reports])
        oldest_s = max((report.oldest_age_s for report in reports), default=0.0)
        free = self.free_bytes()
        return StoresState(
            troubles=tuple(self._troubles(reports, a, b, oldest_s)),
            a=a, b=b,
            backlog_segments=sum(report.backlog_segments for report in reports),
            backlog_bytes=sum(report.backlog_bytes for report in reports),
            oldest_age_s=oldest_s, free_bytes=free, space=self._space(free),
        )  # fmt: skip

    def free_bytes(self) -> int | None:
        """On the fullest media host. Who is silent for long still counts: its disk has not grown by its silence."""
        return min((free for free, _ in self._free.values()), default=None)

    def silence_s(self) -> float | None:
        """Since the shipper that is silent the longest; None before the first word."""
        now_s = self._clock.monotonic()
        return max((now_s - heard.at_s for heard in self._hosts.values()), default=None)

    def _space(self, free: int | None) -> Space:
        if free is None:
            return "unknown"
        return "exhausted" if free < self._stop_bytes else "low" if free < self._warn_bytes else "enough"

    def refuse_when_full(self) -> None:
        """Before a sitting is opened. Raises Refused spool_full; no override: what cannot be written cannot be recorded."""
        if self._space(self.free_bytes()) == "exhausted":
            raise Refused("spool_full")

    def _troubles(
        self, reports: list[StoreHealth], a: PlaceState | None, b: PlaceState | None, oldest_s: float
    ) -> list[Trouble]:
        """Gravest first: nothing can be written, both copies, one copy, late, soon."""
        found: list[str] = []
        space = self._space(self.free_bytes())
        if space == "exhausted":
            found.append("spool_full")
        silence_s = self.silence_s()
        if silence_s is None or silence_s > self._silence_s:
            found.append("shipper_silent")
        for name, place in (("a", a), ("b", b)):
            if place is not None and place.code != "ok":
                found.append(f"store_{name}_{place.code}")
        shipping = _worst([report.shipping for report in reports])
        if shipping is not None and shipping.code != "ok":
            found.append(f"shipping_{shipping.code}")
        if any(report.held for report in reports):
            found.append("segments_held")
        if oldest_s > LATE_S:
            found.append("backlog_late")
        if space == "low":
            found.append("spool_low")
        return [Trouble(code, words_of(code)) for code in found]


def _worst(places: list[PlaceState]) -> PlaceState | None:
    """The trouble that lasts longest; without one, the youngest that is well."""
    troubled = [place for place in places if place.code != "ok"]
    if troubled:
        return min(troubled, key=lambda place: place.since)
    return max(places, key=lambda place: place.since, default=None)


STORE_WORDS = {
    "unheard": "正在检查，尚未确认可用",
    "unreachable": "无法连接，请检查网络与存储服务器",
    "timeout": "没有应答，请检查网络与存储服务器",
    "tls": "加密连接失败，请检查证书",
    "slow": "写入太慢，请检查网络与存储服务器的负载",
    "access_denied": "拒绝访问，请核对访问密钥与权限",
    "bucket_missing": "存储桶不存在，请由技术人员建立（含防删除规则）",
    "clock_skew": "与本机时钟相差过大，请校准双方时间",
    "server_error": "内部出错，请检查存储服务器",
    "disk_full": "磁盘已满，请扩容",
    "read_only": "只读，请检查存储设备",
    "refused": "拒绝写入，请检查存储服务器的设置",
    "io_error": "读写出错，请检查存储设备",
    "damaged": "读回的内容与写入的不同，请立即检查存储设备",
}
_WORDS = {
    "spool_full": "录制磁盘空间不足：不能再开庭，正在进行的庭审继续录制；请立即清理磁盘或恢复存储",
    "spool_low": "录制磁盘空间偏低，请尽快清理磁盘",
    "shipper_silent": "归档服务没有回应：录像仍保存在录制服务器上，尚未写入存储；请联系技术人员",
    "backlog_late": "录像写入存储的速度跟不上录制，暂存于录制服务器，不会丢失；请检查存储与网络",
    "segments_held": "有录像分段无法归档，已原样保留在录制服务器上；请联系技术人员",
    "shipping_database": "数据库暂时不可用，录像暂存于录制服务器，恢复后自动归档",
    "shipping_signaling_away": "归档服务无法报告，录像暂存于录制服务器，恢复后自动归档",
    "shipping_spool_unreadable": "录制服务器的暂存目录无法读取，请立即检查磁盘",
}


def words_of(code: str) -> str:
    """Chinese words of a trouble; a code that is new to us still says which store it is."""
    if code.startswith(("store_a_", "store_b_")):
        copy = "第一份存储" if code[6] == "a" else "第二份存储"
        return f"{copy}{STORE_WORDS.get(code[8:], '出现故障，请检查存储服务器')}；录像暂存于录制服务器，恢复后自动补齐"
    return _WORDS.get(code, "录像归档出现故障，请联系技术人员")
