"""Commands about what is stored: check, backup, restore, and a new wrapping key."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select

from court import backup as copies
from court.backup import BackupError
from court.log import configure_logging
from court.roles.jobs import heal_settings
from court.roles.shared import shared
from court.settings import Settings
from record.checks import Outcome, holds_objects
from record.heal import Healer
from storage.clock import SystemClock
from storage.key_ring import KeyRing, UnknownKey
from storage.migrate import migrate
from storage.objects import StoreUnavailable
from storage.tables import data_keys, sittings

_STATES = {"whole": "两份副本均完好", "healed": "已修复，现两份副本均完好", "one_copy": "只有一份副本完好", "damaged": "有损坏"}


def check(settings: Settings, sitting_id: str | None, *, fill: bool) -> int:
    """Read both copies of a sitting, or of all, now: 0 whole or healed, 1 otherwise."""
    configure_logging(settings.log_level, settings.log_format, "check")
    try:
        outcomes = asyncio.run(_check(settings, sitting_id, fill=fill))
    except StoreUnavailable as error:
        print(f"court check: 存储无法访问（{error}），未作结论", file=sys.stderr)
        return 1
    if not outcomes and sitting_id:
        print(f"court check: 没有庭次 {sitting_id}", file=sys.stderr)
        return 1
    return 0 if all(outcome.state in {"whole", "healed"} for outcome in outcomes) else 1


async def _check(settings: Settings, sitting_id: str | None, *, fill: bool) -> list[Outcome]:
    outcomes: list[Outcome] = []
    async with shared(settings) as parts:
        healer = Healer(parts.database, parts.stores, parts.clock, heal_settings(settings), fill=fill)
        async with parts.database.read() as connection:
            query = select(sittings.c.id).where(holds_objects()).order_by(sittings.c.opened_at, sittings.c.id)
            wanted = [sitting_id] if sitting_id else list((await connection.execute(query)).scalars())
        for one in wanted:
            outcome = await healer.check(one, "command")
            if outcome is not None:
                outcomes.append(outcome)
                _tell(one, outcome)
    return outcomes


def _tell(sitting_id: str, outcome: Outcome) -> None:
    healed = f"，修复 {outcome.healed} 份" if outcome.healed else ""
    print(f"{sitting_id}　{_STATES[outcome.state]}（{outcome.objects} 个文件{healed}）")
    for problem in outcome.problems:
        print(f"    {problem}")


def backup(settings: Settings, folder: Path, keys: Path | None) -> int:
    """Copy the database, and the keys to a place of their own."""
    return _told("backup", lambda: _backup(settings, folder.absolute(), keys.absolute() if keys else None))


def _backup(settings: Settings, folder: Path, keys: Path | None) -> None:
    copies.backup(settings.database_address, folder, settings.keys_dir, keys)
    print(f"数据库已备份到 {folder}")
    print(
        f"密钥已备份到 {keys}，请与数据分开保管" if keys else f"密钥（{settings.keys_dir}）未备份：没有密钥，任何内容都无法读取"
    )


def restore(settings: Settings, folder: Path, keys: Path | None) -> int:
    """Put a backup into a new installation and say what of it can be read."""
    return _told("restore", lambda: _restore(settings, folder.absolute(), keys.absolute() if keys else None))


def _restore(settings: Settings, folder: Path, keys: Path | None) -> None:
    copies.restore(folder, settings.database_address, settings.keys_dir, keys)
    asyncio.run(migrate(settings.database_address))
    print("数据库已恢复")
    for line in asyncio.run(_state_of(settings)):
        print(line)
    print("下一步：court check --all --fill 逐一核验全部内容，并补齐第二份副本")


async def _state_of(settings: Settings) -> list[str]:
    """Whether keys and stores belong to this database."""
    lines = []
    async with shared(settings) as parts:
        async with parts.database.read() as connection:
            objects = await connection.scalar(select(func.count()).select_from(data_keys))
            used = select(data_keys.c.wrapping_key).where(data_keys.c.wrapped.is_not(None)).distinct()
            names = list((await connection.execute(used)).scalars())
        absent = [name for name in names if not (settings.keys_dir / "objects" / f"{name}.key").is_file()]
        lines.append(f"共 {objects} 个文件" + (f"；缺少密钥 {'、'.join(absent)}，相应内容无法读取" if absent else "，密钥齐全"))
        copies = parts.stores.each()
        for name in ("A", "B"):
            try:
                found = await copies.found(name)
            except StoreUnavailable as error:
                lines.append(f"{name} 库无法访问（{error}）")
            else:
                lines.append(f"{name} 库：抽查 {found[1]} 个文件，存在 {found[0]} 个")
    return lines


def rotate_wrapping(settings: Settings, key_class: str) -> int:
    """A new wrapping key for a class; every data key of it is brought under the new one before this ends."""
    configure_logging(settings.log_level, settings.log_format, "keys")
    ring = KeyRing(settings.keys_dir / "objects")
    try:
        old = ring.newest(key_class)
    except UnknownKey:
        print(f"court keys: 没有类别 {key_class} 的密钥", file=sys.stderr)
        return 1
    new = ring.rotate(key_class)
    asyncio.run(_rotate(settings, key_class))
    print(f"{old} → {new}：全部数据密钥已改用新密钥。请立即备份 COURT_KEYS。")
    print(f"旧密钥 {old}.key 仍须保管到最后一份早于现在的数据库备份作废为止。")
    return 0


async def _rotate(settings: Settings, key_class: str) -> None:
    async with shared(settings) as parts:
        await Healer(parts.database, parts.stores, SystemClock()).rotate({"key_class": key_class})


def _told(command: str, act: Callable[[], None]) -> int:
    try:
        act()
    except BackupError as error:
        print(f"court {command}: {error}", file=sys.stderr)
        return 1
    return 0
