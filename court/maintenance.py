"""Commands of an installation that run once: migrate, seed-demo, export, keys."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from court.demo import DemoCourt, DemoLink, load_demo, open_doors, seed_if_empty
from court.log import configure_logging
from court.roles.shared import shared
from court.settings import Settings
from hearing.access import AccessClass
from hearing.errors import CourtError, UnknownId
from hearing.model import Hearing
from hearing.service import HearingService
from record.keys import CourtKey, UnusableKey, court_key, rotate, successions
from record.package import Archive, export_hearing
from record.verify import fingerprint_of
from signaling.auth import Authentication
from signaling.settings import SignalingSettings
from storage.migrate import migrate as migrate_database


def migrate(settings: Settings) -> int:
    configure_logging(settings.log_level, settings.log_format, "migrate")
    asyncio.run(migrate_database(settings.database_address))
    print("数据库已是最新结构")
    return 0


def seed_demo(settings: Settings) -> int:
    configure_logging(settings.log_level, settings.log_format, "seed-demo")
    if asyncio.run(_migrate_and_seed(settings)):
        print(f"已写入演示法院，账号见 {settings.keys_dir / 'demo.json'}")
    else:
        print("数据库中已有法院，未作改动")
    return 0


async def _migrate_and_seed(settings: Settings) -> bool:
    await migrate_database(settings.database_address)
    async with shared(settings) as parts:
        hearings = HearingService(parts.database, parts.clock)
        return await seed_if_empty(parts.database, hearings, settings.keys_dir, parts.clock, ZoneInfo(settings.tz))


async def prepare_installation(settings: Settings) -> tuple[DemoCourt, Hearing, list[DemoLink]] | None:
    """Migrate; in a demo installation also seed the court and open its doors. None: no demo court here."""
    court_key(settings.keys_dir, settings.signature)
    await migrate_database(settings.database_address)
    if not settings.demo:
        return None
    await _migrate_and_seed(settings)
    demo = load_demo(settings.keys_dir)
    if demo is None:
        return None
    async with shared(settings) as parts:
        signaling = SignalingSettings(
            base_url=settings.public_url,
            internal_token=parts.token,
            media_urls=(),
            web_root=Path(),
            link_days=settings.link_days,
        )
        authentication = Authentication(signaling, parts.database, parts.clock)
        try:
            return demo, *await open_doors(demo, HearingService(parts.database, parts.clock), authentication)
        except UnknownId:  # the keys folder belongs to an older demo database
            return None


def export(settings: Settings, hearing_id: str, folder: Path, access: str) -> int:
    """Write the record package of a hearing, as far as the class `access` goes."""
    configure_logging(settings.log_level, settings.log_format, "export")
    try:
        path = asyncio.run(_export(settings, hearing_id, folder, AccessClass(access)))
    except CourtError as error:
        print(f"court export: {error.message}", file=sys.stderr)
        return 1
    except FileExistsError:
        print(f"court export: 文件夹 {folder} 已存在且不为空", file=sys.stderr)
        return 1
    print(f"记录包已写入 {path}")
    return 0


async def _export(settings: Settings, hearing_id: str, folder: Path, holder: AccessClass) -> Path:
    key = court_key(settings.keys_dir, settings.signature)
    async with shared(settings) as parts:
        return await export_hearing(Archive(parts.database, parts.stores.objects(), key), hearing_id, folder, holder=holder)


def show_keys(settings: Settings) -> int:
    """Print the fingerprint that the court publishes, and the keys before it."""
    return _with_key(settings, _tell_key)


def rotate_signing(settings: Settings, *, compromised: bool) -> int:
    """Replace the signing key."""

    def replace(_key: CourtKey) -> None:
        old, new = rotate(settings.keys_dir, settings.signature, compromised=compromised)
        print(f"已停用 {old.fingerprint}" + ("（泄露：不作交接，旧记录只认旧指纹）" if compromised else ""))
        _tell_key(new)
        print("请重启 court serve，并公布新指纹；旧指纹须继续公布，以前的记录包凭它核验。")

    return _with_key(settings, replace)


def _with_key(settings: Settings, act: Callable[[CourtKey], None]) -> int:
    configure_logging(settings.log_level, settings.log_format, "keys")
    try:
        act(court_key(settings.keys_dir, settings.signature))
    except UnusableKey as error:
        print(f"court keys: {error}", file=sys.stderr)
        return 1
    return 0


def _tell_key(key: CourtKey) -> None:
    print(f"签名算法 {key.algorithm}\n公钥指纹 {key.fingerprint}")
    for step in successions(key):
        old, new = (fingerprint_of(bytes.fromhex(step[name])) for name in ("old", "new"))
        print(f"  {step['at']} 交接 {old} → {new}")
