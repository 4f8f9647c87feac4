"""The package of a hearing (庭审记录包): one folder per sealed sitting, the exhibits, a signed list of everything, a verifier."""

from __future__ import annotations

import asyncio
import shutil
import stat
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from hearing.access import AccessClass, may_have
from hearing.errors import NotNow, NotPermitted, UnknownId
from hearing.timeline import Clock, iso_utc, local_date_time, whole_ms
from record import store
from record import verify as verifier
from record.extras import EXTRAS
from record.keys import CourtKey
from record.model import Material
from record.package_items import Item, exhibit_items, folder_of, made, sitting_items
from record.signing import signature_bytes
from record.verify import DESTROYED, PACKAGE_SCHEMA, canonical
from storage.clock import SystemClock
from storage.data_keys import KeyDestroyed
from storage.database import Database
from storage.envelope import Damaged
from storage.ids import new_id
from storage.key_ring import UnknownKey
from storage.objects import InvalidKey, ObjectMissing, ObjectStore

_log = structlog.get_logger(__name__)
_CLOCK = SystemClock()
LOOKS_AT_ONCE = 8  # a package of a long hearing has tens of thousands of objects, and a store its latency
_VERIFIER = Path(verifier.__file__).read_bytes()

HOW_TO = """庭审记录包：怎样核验

案号：{case_number}
{title}
{court}　{made_at}（北京时间）导出

一、自动核验（需要 Python 3.9 或以上，无需联网、无需安装其他软件）
    在本文件夹内运行：
        python3 verify.py . --key 法院公布的密钥指纹
    不带 --key 也能核验内容是否完整，但不比对签名者。
    未解压的压缩包同样可以核验：python3 verify.py 记录包.zip

    本包签名密钥的指纹（请与法院另行公布的指纹比对，不要只看本文件）：
        {fingerprint}

    结果“核验通过”：所有文件都在，一个字节也没有改动。
    结果“核验不通过”：逐项列出缺失、增加、改动、换序、截断或由他人签名的文件和条目。

二、人工核验
    1. 比对任一文件的 SHA-256（sha256sum 文件名）与 package.json 或各庭次 manifest.json 中的数值。
    2. 用 package.sig.json、manifest.sig.json 中的公钥核验签名（Ed25519，RFC 8032）。
    完整步骤见系统文档《记录格式》（docs/record-format.md）。

三、包内有什么
    package.json　　　　　本包全部文件的清单，由法院密钥签名（package.sig.json）
    sitting-N/manifest.json　第 N 次庭审的封存清单：区间、音视频分段、中断及原因、证据出示、笔录稿、账本头
    sitting-N/media/　　　　每人一条音频轨、一条视频轨，共享屏幕另有一条，可用常见播放器打开
    sitting-N/transcript.*　闭庭时的机器稿。机器识别，非笔录
    sitting-N/transcript/　　闭庭后由录音重新识别的各版本终稿识别（version-N），书记员已更正的行保留。机器识别，非笔录
    sitting-N/ledger.jsonl　审计账本
    exhibits/　　　　　　　证据原始文件，一个字节不变
"""


@dataclass(frozen=True, slots=True)
class Archive:
    """What packages are made from: the rows, the stored objects, the court's key that signs them, the clock."""

    database: Database
    objects: ObjectStore
    key: CourtKey
    clock: Clock = _CLOCK


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a package will hold and the stores still have, in order, before the media are read."""

    hearing_id: str
    made_at: datetime
    items: tuple[Item, ...]

    @property
    def size_bytes(self) -> int:
        """Size of the contents; the zip is a little larger."""
        return sum(item.size_bytes for item in self.items)


async def plan_package(archive: Archive, hearing_id: str, holder: AccessClass = AccessClass.SEALED) -> Plan:
    """What the package of a hearing holds now for who is cleared for `holder` (SEALED: the whole record).

    Raises UnknownId, NotNow (record_not_sealed) when no sitting is sealed, NotPermitted for who has less than the parties.
    """
    if not may_have(holder, AccessClass.PARTIES):
        raise NotPermitted("旁听人员、证人等不能下载庭审记录包。")
    objects, key = archive.objects, archive.key
    async with archive.database.read() as connection:
        materials = [
            material for sitting_id in await store.sitting_ids(connection, hearing_id)
            if (material := await store.material_of(connection, sitting_id)) is not None
        ]  # fmt: skip
        sealed = [material for material in materials if material.sitting.sealed_manifest_sha256]
        later = [item for material in sealed for extra in EXTRAS for item in await extra(connection, material)]
    if not materials:
        raise UnknownId("没有这个庭审。", field="hearing_id")
    if not sealed:
        raise NotNow("庭审记录尚未封存，闭庭后稍候即可下载。", code="record_not_sealed")
    made_at = whole_ms(archive.clock.now())
    items = [item for material in sealed for item in await sitting_items(objects, material, holder)] + later
    items += exhibit_items(sealed[-1], {item.path for item in items})
    items += [made("verify.py", _VERIFIER), made("说明.txt", _how_to(sealed[0], key, made_at))]
    items += [made("keys.json", key.lineage)] if key.lineage else []
    items, unread = await _look(objects, hearing_id, items)
    kept = [item for item in items if item.access != DESTROYED and may_have(holder, AccessClass(item.access))]
    document = canonical(_document(materials, holder, kept, [item for item in items if item not in kept], made_at))
    kept += [made("package.json", document), made("package.sig.json", signature_bytes(key, "package.json", document))]
    return Plan(hearing_id, made_at, tuple(item for item in kept if item.path not in unread))


async def export_hearing(archive: Archive, hearing_id: str, out_dir: Path, holder: AccessClass = AccessClass.SEALED) -> Path:
    """Write the package as a folder and return it; it appears whole or not at all.

    Raises FileExistsError when `out_dir` is there and not empty, and what plan_package() raises.
    """
    plan = await plan_package(archive, hearing_id, holder)
    draft = out_dir.with_name(f".{out_dir.name}.{new_id('draft')}")
    try:
        for item in plan.items:
            path = draft / item.path
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            file = await asyncio.to_thread(path.open, "wb")
            try:
                async for chunk in _chunks(archive.objects, item):
                    await asyncio.to_thread(file.write, chunk)
            finally:
                await asyncio.to_thread(file.close)
        await asyncio.to_thread(_place, draft, out_dir)
    finally:
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
    return out_dir


async def package_zip(archive: Archive, hearing_id: str, holder: AccessClass = AccessClass.SEALED) -> AsyncIterator[bytes]:
    """The package as a zip, streamed: stored not compressed, nothing is kept in memory or on disk."""
    plan = await plan_package(archive, hearing_id, holder)
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as packed:  # type: ignore[call-overload]
        for item in plan.items:
            with packed.open(_zip_info(item, plan.made_at), "w") as file:
                async for chunk in _chunks(archive.objects, item):
                    file.write(chunk)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()


async def _look(objects: ObjectStore, hearing_id: str, items: Sequence[Item]) -> tuple[list[Item], set[str]]:
    """The items, those whose key was lawfully destroyed marked so; and the paths of those that cannot be read.

    A damaged record is handed out too: the verifier then names what is missing.
    """
    unread: set[str] = set()
    at_once = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def look(item: Item) -> Item:
        try:
            async with at_once:
                if item.key is not None:
                    await objects.get(item.key, start=0, end=1)
        except KeyDestroyed:
            return replace(item, access=DESTROYED)
        except (ObjectMissing, InvalidKey, Damaged, UnknownKey):
            _log.error("package_item_missing", hearing_id=hearing_id, key=item.key)
            unread.add(item.path)
        return item

    return list(await asyncio.gather(*map(look, items))), unread


class _Sink:
    """Where zipfile writes; it can only go forward, so sizes and CRCs follow each file (APPNOTE 4.3.9)."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def write(self, data: bytes) -> int:
        self._buffer += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        """What was written since the last call."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data


def _zip_info(item: Item, made_at: datetime) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(item.path, made_at.timetuple()[:6])
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    return info


async def _chunks(objects: ObjectStore, item: Item) -> AsyncIterator[bytes]:
    if item.key is None:
        yield item.data
        return
    try:
        async for chunk in objects.stream(item.key):
            yield chunk
    except Damaged:  # in both copies: what was whole before it is handed out, and the verifier names the file
        _log.exception("package_item_damaged", key=item.key)


def _place(draft: Path, out_dir: Path) -> None:
    if out_dir.is_dir() and not any(out_dir.iterdir()):
        out_dir.rmdir()
    if out_dir.exists():
        raise FileExistsError(f"{out_dir} is there and not empty")
    draft.rename(out_dir)


def _listed(material: Material) -> dict[str, Any]:
    return {
        "sitting_id": material.sitting.id, "ordinal": material.sitting.ordinal, "folder": folder_of(material),
        "manifest_sha256": material.sitting.sealed_manifest_sha256,
    }  # fmt: skip


def _document(
    materials: Sequence[Material], holder: AccessClass, kept: Sequence[Item], withheld: Sequence[Item], made_at: datetime
) -> dict[str, Any]:
    """package.json: what is in the package, to the last file, and what its class leaves out."""
    sealed = [material for material in materials if material.sitting.sealed_manifest_sha256]
    first = sealed[0]
    return {
        "schema": PACKAGE_SCHEMA,
        "court": {"id": first.sitting.court_id, "name": first.sitting.court_name},
        "hearing": {"id": first.hearing.id, "case_number": first.hearing.case_number, "title": first.hearing.title},
        "made_at": iso_utc(made_at),
        "access": holder,
        "sittings": [_listed(material) for material in sealed],
        "unsealed": [
            {"sitting_id": m.sitting.id, "ordinal": m.sitting.ordinal, "state": m.sitting.state}
            for m in materials if m not in sealed
        ],
        "files": [{"path": i.path, "bytes": i.size_bytes, "sha256": i.sha256} for i in sorted(kept, key=_path)],
        "withheld": [{"path": i.path, "sha256": i.sha256, "access": i.access} for i in sorted(withheld, key=_path)],
    }  # fmt: skip


def _path(item: Item) -> str:
    return item.path


def _how_to(material: Material, key: CourtKey, made_at: datetime) -> bytes:
    text = HOW_TO.format(
        case_number=material.hearing.case_number, title=material.hearing.title, court=material.sitting.court_name,
        made_at=local_date_time(made_at), fingerprint=key.fingerprint,
    )  # fmt: skip
    return text.encode()
