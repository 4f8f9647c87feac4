"""Every refusal as the outside sees it: stable code, HTTP status, Chinese message. Only this file translates errors.

Refused: signaling's own refusals, the message stands in REFUSALS. CourtError: refusals of the law (and of exhibits, record)
with their own message, the status follows the type. MediaError: the worker's, the message stands in REFUSALS. Anything else:
internal_error, logged by the caller; nothing of it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import ValidationError

from hearing.errors import Conflict, CourtError, InvalidField, NotNow, NotPermitted, RoomFull, ServerFault, UnknownId, UserError
from media.control import MediaError
from signaling.protocol import WireError


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a code is told: HTTP status and the words for people."""

    status: int
    message: str


REFUSALS: Mapping[str, Refusal] = MappingProxyType({
    # what was sent
    "bad_field": Refusal(400, "提交的内容有误，请检查后重试。"),
    "bad_body": Refusal(400, "提交的内容无法识别，请刷新页面后重试。"),
    "unknown_command": Refusal(404, "系统不认识这个操作，请刷新页面后重试。"),
    "not_found": Refusal(404, "没有找到您要的内容。"),
    "method_not_allowed": Refusal(405, "不支持这种操作方式。"),
    "too_large": Refusal(413, "提交的内容超过大小限制。"),
    "bad_range": Refusal(416, "请求的录像范围不存在。"),
    "too_many_commands": Refusal(429, "操作过于频繁，请稍等几秒再试。"),
    "too_many_downloads": Refusal(429, "同时或短时间内下载的记录包过多，请等上一次下载结束，过几分钟再试。"),
    "internal_error": Refusal(500, "系统出现故障，刚才的操作没有生效，请稍后重试。"),
    # who sent it
    "not_signed_in": Refusal(401, "您尚未登录或登录已过期，请重新登录。"),
    "sign_in_failed": Refusal(401, "用户名或密码不正确。"),
    "sign_in_throttled": Refusal(429, "登录失败次数过多，请 15 分钟后再试。"),
    "csrf_failed": Refusal(403, "页面已过期，请刷新后重试。"),
    "origin_refused": Refusal(403, "不接受来自这个网址的请求。"),
    "not_permitted": Refusal(403, "您没有权限进行这项操作。"),
    "bad_internal_token": Refusal(401, "内部接口凭证不正确。"),
    # personal links
    "link_unknown": Refusal(404, "参加链接无效，请核对链接是否完整，或联系书记员。"),
    "link_used": Refusal(410, "参加链接已经使用过。如需在另一台设备上参加，请联系书记员重新发送链接。"),
    "link_expired": Refusal(410, "参加链接已过期，请联系书记员重新发送链接。"),
    "link_revoked": Refusal(410, "参加链接已作废，请使用书记员最新发送的链接。"),
    # the seat
    "not_joined": Refusal(409, "您尚未进入法庭，请刷新页面。"),
    "not_a_participant": Refusal(403, "您不是本次庭审的参加人。"),
    "session_replaced": Refusal(409, "您已在另一台设备或另一个页面进入法庭，本页面已停止。"),
    # hearings
    "record_not_ready": Refusal(409, "庭审尚未闭庭，庭审档案还没有生成。"),
    "not_recorded": Refusal(409, "当前不录音录像，没有可以回听的声音。"),
    "nothing_written": Refusal(404, "这一路声音刚才没有写入磁盘，无法回听。"),
    "record_damaged": Refusal(500, "这一段录音录像在两份存储中均已损坏，无法播放，请联系技术人员。"),
    "record_destroyed": Refusal(410, "这份记录已在保存期满后依法销毁，不能播放；审计账本和销毁记录仍可查。"),
    "exhibit_too_large": Refusal(413, "文件超过大小限制，请压缩或拆分后再提交。"),
    "spool_full": Refusal(503, "录制磁盘空间不足，暂时不能开庭。请联系技术人员清理磁盘后重试。"),
    # media
    "self_test_busy": Refusal(429, "正在检测网络的人较多，请一分钟后再试。"),
    "self_test_unknown": Refusal(404, "这次网络检测已经结束，请重新检测。"),
    "media_unreachable": Refusal(503, "音视频服务暂时无法连接，系统正在自动重试。"),
    "media_refused": Refusal(409, "音视频连接没有成功，系统正在自动重试。"),
    "network": Refusal(503, "服务器没有可用的媒体地址或端口，请联系技术人员。"),
    "too_many_connects": Refusal(429, "音视频重新连接过于频繁，请稍等几秒。"),
    "answer_stale": Refusal(409, "音视频连接正在更新，系统会自动完成。"),
})  # fmt: skip

LAW_STATUS: Mapping[type[CourtError], int] = MappingProxyType({
    InvalidField: 400, NotPermitted: 403, UnknownId: 404, NotNow: 409, RoomFull: 409, Conflict: 409, UserError: 400,
    ServerFault: 503, CourtError: 500,
})  # fmt: skip
"""By type, nearest ancestor first: who is at fault decides the status."""

STATUS_OF_CODE: Mapping[str, int] = MappingProxyType({"exhibit_too_large": 413, "exhibit_type_refused": 415})
"""Codes for which HTTP has a closer status than the type's."""


class Refused(Exception):
    """A refusal of signaling itself; `code` stands in REFUSALS, `field` names the bad field."""

    def __init__(self, code: str, field: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.field = field


def told(code: str, field: str | None = None) -> tuple[int, WireError]:
    refusal = REFUSALS[code]
    return refusal.status, WireError(code=code, message=refusal.message, field=field)


def law_status(error: CourtError) -> int:
    by_type = next(LAW_STATUS[kind] for kind in type(error).__mro__ if kind in LAW_STATUS)
    return STATUS_OF_CODE.get(error.code, by_type)


def media_refusal(error: MediaError) -> tuple[int, WireError]:
    """The worker's codes stand (answer_stale, peer_unknown, not_a_member …); its words only if they are for people."""
    if error.code in REFUSALS:
        return told(error.code)
    status, generic = told("media_refused")
    words = str(error)
    return status, WireError(
        code=error.code, message=words if any("一" <= letter <= "鿿" for letter in words) else generic.message
    )


def field_of(error: ValidationError) -> str:
    """Dotted path of the first bad field, as in the JSON; a tagged union's own marks are left out."""
    return ".".join(str(part) for part in error.errors(include_url=False, include_input=False)[0]["loc"]) or "body"


def describe(error: Exception) -> tuple[int, WireError]:
    """HTTP status and wire form of any exception; what is not known is `internal_error`."""
    match error:
        case Refused():
            return told(error.code, error.field)
        case CourtError():
            return law_status(error), WireError(code=error.code, message=error.message, field=error.field)
        case MediaError():
            return media_refusal(error)
        case ValidationError():
            return told("bad_field", field_of(error))
        case _:
            return told("internal_error")
