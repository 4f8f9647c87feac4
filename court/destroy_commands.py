"""`court destroy`: lawful destruction of a hearing's record, by two people who sign in, and the holds that forbid it."""
# ruff: noqa: T201  what a command says, it prints

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from court.log import configure_logging
from court.roles.shared import Shared, shared
from court.settings import Settings
from hearing.errors import CourtError
from hearing.model import StaffId
from hearing.service import HearingService
from hearing.timeline import local_date_time
from record import destruction_store as store
from record.destruction import Destroyer, DestructionPlan, Person
from record.destruction_store import Order
from signaling.auth import Authentication, Origin
from signaling.error_codes import REFUSALS, Refused
from signaling.settings import SignalingSettings
from storage.objects import StoreUnavailable

HERE = Origin("", "court destroy")
_STATES = {
    "ordered": "待批准", "approved": "已批准，尚未执行完", "shredded": "密钥已销毁，正在清除存储", "done": "已执行完毕",
}  # fmt: skip
_LAST = (
    "密钥已销毁，内容不可恢复。早于现在的数据库备份里仍有旧密钥：请按规定一并销毁，并运行 court keys rotate-wrapping、"
    "停用旧的存储密钥。"
)


def destroy(settings: Settings, options: argparse.Namespace) -> int:
    """0: done as asked (or, with --dry-run, nothing stands against it); 1: refused, or not finished."""
    configure_logging(settings.log_level, settings.log_format, "destroy")
    try:
        return asyncio.run(_act(settings, options))
    except CourtError as error:
        print(f"court destroy: {error.message}", file=sys.stderr)
    except Refused as error:
        print(f"court destroy: {REFUSALS[error.code].message}", file=sys.stderr)
    except StoreUnavailable as error:
        print(f"court destroy: 存储无法访问（{error}）；已做的不会丢失，恢复后运行 court destroy run", file=sys.stderr)
    return 1


async def _act(settings: Settings, options: argparse.Namespace) -> int:
    async with shared(settings) as parts:
        hearings = HearingService(parts.database, parts.clock)
        destroyer = Destroyer(parts.database, parts.stores, hearings, parts.clock, settings.retention_years)
        if options.dry_run:
            return await _dry_run(destroyer, options)
        actions: dict[str, Callable[[], Awaitable[int]]] = {
            "list": lambda: _list(parts, options.id),
            "order": lambda: _order(destroyer, parts, options),
            "approve": lambda: _approve(destroyer, parts, options),
            "run": lambda: _run(destroyer, options.id),
            "hold": lambda: _hold(destroyer, parts, options),
            "lift": lambda: _lift(destroyer, parts, options),
        }
        return await actions[options.action]()


async def _dry_run(destroyer: Destroyer, options: argparse.Namespace) -> int:
    hearing_id = options.id if options.action in {"order", "list"} else (await destroyer.find(options.id)).hearing_id
    plan = await destroyer.plan(hearing_id)
    _tell_plan(plan)
    return 1 if plan.obstacles else 0


def _tell_plan(plan: DestructionPlan) -> None:
    print(f"{plan.hearing.case_number}　{plan.hearing.title}（{plan.hearing.id}）")
    print(f"将销毁：{plan.objects} 个文件（{plan.bytes / 1e6:.1f} MB，两处存储各一份），{plan.lines} 行机器稿及其更正")
    print("将保留：审计账本、封存清单及签名、全部散列、起止与中断情况记录、故障说明、本次销毁记录")
    if plan.keep_until is not None:
        print(f"保存期限届满：{local_date_time(plan.keep_until)}")
    for obstacle in plan.obstacles:
        print(f"妨碍：{obstacle}")


async def _list(parts: Shared, hearing_id: str) -> int:
    async with parts.database.read() as connection:
        orders, holds = await store.orders_of(connection, hearing_id), await store.holds_of(connection, hearing_id)
    for hold in holds:
        print(f"{hold.id}　{'已解除' if hold.lifted_at else '有效'}　{hold.reason}")
    for order in orders:
        _tell_order(order)
    if not (orders or holds):
        print("没有销毁令，也没有保全或中止")
    return 0


def _tell_order(order: Order) -> None:
    print(f"{order.id}　{order.order_number}　{_STATES[order.state]}　{order.reason}")
    if order.state in {"shredded", "done"}:
        print(f"    {order.objects} 个文件、{order.lines} 行机器稿的内容已不可读取")
    for name, count in sorted(order.left.items()):
        print(f"    {name} 库有 {count} 个密文文件未能删除（存储不允许），内容已不可读取，请由存储管理员清理")


async def _order(destroyer: Destroyer, parts: Shared, options: argparse.Namespace) -> int:
    person = await _sign_in(parts, options.by)
    order_id = await destroyer.order(options.id, options.number, options.reason, person)
    print(f"已提出 {order_id}；须由另一名法官批准：court destroy approve {order_id} --by 登录名")
    return 0


async def _approve(destroyer: Destroyer, parts: Shared, options: argparse.Namespace) -> int:
    await destroyer.approve(options.id, await _sign_in(parts, options.by))
    return await _run(destroyer, options.id)


async def _run(destroyer: Destroyer, order_id: str) -> int:
    order = await destroyer.carry_out(order_id)
    _tell_order(order)
    print(_LAST)
    return 0


async def _hold(destroyer: Destroyer, parts: Shared, options: argparse.Namespace) -> int:
    print(await destroyer.hold(options.id, options.reason, await _sign_in(parts, options.by)))
    return 0


async def _lift(destroyer: Destroyer, parts: Shared, options: argparse.Namespace) -> int:
    await destroyer.lift(options.id, options.reason, await _sign_in(parts, options.by))
    print("已解除")
    return 0


async def _sign_in(parts: Shared, login: str) -> Person:
    """Who stands at the console, by the password of the application; wrong ones count as there. Raises Refused."""
    password = getpass.getpass(f"{login} 的密码：") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    signaling = SignalingSettings(base_url="", internal_token=parts.token, media_urls=(), web_root=Path())
    authentication = Authentication(signaling, parts.database, parts.clock)
    session = (await authentication.sign_in(login, password, HERE)).session
    await authentication.sign_out(session)
    if session.staff_id is None:
        raise Refused("not_permitted")
    return Person(StaffId(session.staff_id), session.position)
