"""A real signaling server on SQLite with real sockets and clients; only the media worker is a fake at its port."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import socketio
from aiohttp import web
from argon2 import PasswordHasher
from sqlalchemy import insert, update

from evidence.registry import ExhibitRegistry
from evidence.settings import EvidenceSettings
from hearing.access import AccessClass, may_have
from hearing.audience import GrantTable
from hearing.model import ParticipantId, Procedure, Role, SittingId, StaffId
from hearing.scheduling import NewHearing, NewPerson
from hearing.service import HearingService, HearingSettings
from media.control import (
    ClientStats,
    MediaError,
    Offer,
    QualitySample,
    RecorderHealth,
    SelfTestMeasured,
    SpoolProbe,
    WrittenSound,
    WrittenTrack,
)
from record.keys import court_key
from record.package import Archive, package_zip
from record.views import RecordViews
from signaling.app import build_app
from signaling.parts import Parts, Records
from signaling.settings import SignalingSettings
from storage import tables as t
from storage.clock import SystemClock
from storage.database import Database
from storage.folder import FolderStore
from storage.migrate import migrate
from storage.objects import ObjectStore
from tests.courts import COURT, found_court
from tests.servers import free_port

PASSWORD = "correct horse battery"
INTERNAL = {"Authorization": "Bearer internal-secret"}
MEDIA_URL = "http://media.invalid"

PEOPLE = (
    NewPerson("presiding", Role.PRESIDING_JUDGE, "审判长甲", staff_id=StaffId("judge_1")),
    NewPerson("judge", Role.JUDGE, "审判员乙", staff_id=StaffId("judge_2")),
    NewPerson("assessor", Role.ASSESSOR, "陪审员丙", staff_id=StaffId("assessor_1")),
    NewPerson("clerk", Role.CLERK, "书记员丁", staff_id=StaffId("clerk_1")),
    NewPerson("plaintiff", Role.PLAINTIFF, "张某"),
    NewPerson("defendant", Role.DEFENDANT, "李某"),
    NewPerson("third", Role.THIRD_PARTY, "赵某"),
    NewPerson("agent", Role.AGENT, "孙律师", represents="plaintiff"),
    NewPerson("witness", Role.WITNESS, "周某"),
    NewPerson("expert", Role.EXPERT, "吴某"),
    NewPerson("interpreter", Role.INTERPRETER, "郑某"),
    NewPerson("observer", Role.OBSERVER, "王某"),
)
STAFF = {"presiding": "judge_1", "judge": "judge_2", "assessor": "assessor_1", "clerk": "clerk_1"}


class FakeMedia:
    """A media worker at its port (media.control.MediaControl): remembers what it was told."""

    def __init__(self) -> None:
        self.tables: list[GrantTable] = []
        self.applied: list[tuple[GrantTable, datetime]] = []
        self.calls: list[tuple[object, ...]] = []
        self.closed: list[SittingId] = []
        self.samples: list[QualitySample] = []
        self.written: list[WrittenTrack] = []
        self.health: RecorderHealth | None = None
        self.self_tests: dict[str, str] = {}
        self.away = False
        self.spool = "ok"  # what a probe of its disk finds

    def _reach(self) -> None:
        if self.away:
            raise MediaError("media_unreachable", "the worker is away")

    async def apply_grants(self, table: GrantTable) -> int:
        self._reach()
        self.tables.append(table)
        self.applied.append((table, SystemClock().now()))
        return table.number

    async def connect(self, sitting_id: SittingId, participant_id: ParticipantId, peer_id: str) -> tuple[Offer, ...]:
        self._reach()
        self.calls.append(("connect", participant_id, peer_id))
        return (Offer("up", 1, "v=0 up"), Offer("down", 1, "v=0 down"))

    async def answer(self, sitting_id: SittingId, peer_id: str, connection: str, revision: int, sdp: str) -> None:
        self._reach()
        self.calls.append(("answer", peer_id, connection, revision, sdp))

    async def restart_ice(self, sitting_id: SittingId, peer_id: str, connection: str) -> Offer:
        self._reach()
        return Offer(connection, 2, "v=0 again")

    async def disconnect(self, sitting_id: SittingId, peer_id: str) -> None:
        self._reach()
        self.calls.append(("disconnect", peer_id))

    async def set_view(self, sitting_id: SittingId, peer_id: str, tiles: Mapping[str, int]) -> None:
        self._reach()
        self.calls.append(("view", peer_id, dict(tiles)))

    async def note_stats(self, sitting_id: SittingId, peer_id: str, stats: ClientStats) -> None:
        self._reach()
        self.calls.append(("stats", peer_id, stats))

    async def quality(self, sitting_id: SittingId) -> tuple[QualitySample, ...]:
        self._reach()
        return tuple(self.samples)

    async def recorder_health(self, sitting_id: SittingId) -> RecorderHealth | None:
        self._reach()
        return self.health

    async def written_tracks(self, sitting_id: SittingId) -> tuple[WrittenTrack, ...]:
        self._reach()
        return tuple(self.written)

    async def written_sound(self, sitting_id: SittingId, track_id: str, holder: AccessClass) -> WrittenSound:
        self._reach()
        track = next((one for one in self.written if one.track_id == track_id), None)
        if track is None or not may_have(holder, track.access):
            raise MediaError("nothing_written", "没有写入")
        return WrittenSound(1_000, 9_000, b"webm")

    async def resume(self, sitting_id: SittingId, participant_id: ParticipantId, peer_id: str) -> tuple[Offer, ...]:
        self._reach()
        if ("connect", participant_id, peer_id) not in self.calls:
            raise MediaError("peer_unknown", "没有这个媒体连接")
        return ()

    async def close_sitting(self, sitting_id: SittingId) -> None:
        self._reach()
        self.closed.append(sitting_id)

    async def release(self, sitting_id: SittingId) -> None:
        self._reach()
        self.calls.append(("release", sitting_id))

    async def metrics(self) -> str:
        self._reach()
        return ""

    async def probe_spool(self) -> SpoolProbe:
        self._reach()
        return SpoolProbe(self.spool, 3, 900 * 1024**3, SystemClock().now())

    async def begin_self_test(self, owner_id: str, test_id: str) -> str:
        self._reach()
        self.self_tests[owner_id] = test_id
        return "v=0 test"

    async def answer_self_test(self, owner_id: str, test_id: str, sdp: str) -> None:
        self._known_test(owner_id, test_id)
        self.calls.append(("answer_self_test", owner_id, sdp))

    async def self_test(self, owner_id: str, test_id: str) -> SelfTestMeasured:
        self._known_test(owner_id, test_id)
        return SelfTestMeasured(True, 900_000, 1_200_000, 500, 5, 2.5, 40_000)

    async def end_self_test(self, owner_id: str, test_id: str) -> None:
        if self.self_tests.get(owner_id) == test_id:
            del self.self_tests[owner_id]

    def _known_test(self, owner_id: str, test_id: str) -> None:
        if self.self_tests.get(owner_id) != test_id:
            raise MediaError("self_test_unknown", "检测已经结束，请重新开始")


class Browser:
    """One person's browser: HTTP session with cookies and CSRF token, and at most one socket."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.csrf = ""
        self.me: dict[str, Any] = {}
        self.socket = socketio.AsyncClient(http_session=self.http, reconnection=False)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.sitting_id = ""
        self._command = 0
        self.refusal: Any = None

    async def post(self, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        return await self.ask("POST", path, json=body, **options)

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        return await self.ask("GET", path, **options)

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        headers = {"X-CSRF-Token": self.csrf, **options.pop("headers", {})}
        async with self.http.request(method, path, headers=headers, **options) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.read()

    async def sign_in(self, login: str, password: str = PASSWORD) -> tuple[int, Any]:
        return self._accept(*await self.post("/api/sign-in", {"login": login, "password": password}))

    async def open_link(self, url: str) -> tuple[int, Any]:
        return self._accept(*await self.post("/api/link", {"token": url.rpartition("/")[2]}))

    def _accept(self, status: int, body: Any) -> tuple[int, Any]:
        if status == 200:
            self.me, self.csrf = body, body["csrf"]
        return status, body

    async def connect(self, sitting_id: str, **options: Any) -> None:
        """Raises ConnectionError when refused; the refusal stands in `refusal`."""
        self.sitting_id = sitting_id
        self.socket.on("*", self._event, namespace="/court")
        self.socket.on("connect_error", self._refused, namespace="/court")
        await self.socket.connect(
            self.url,
            auth={"sitting_id": sitting_id},
            namespaces=["/court"],
            transports=["websocket"],
            wait_timeout=5,
            **options,
        )

    async def _event(self, event: str, data: Any = None) -> None:
        self.events.append((event, data))

    async def _refused(self, data: Any = None) -> None:
        self.refusal = data

    async def send(self, name: str, command_id: str | None = None, **fields: Any) -> dict[str, Any]:
        """One command and its acknowledgement."""
        self._command += 1
        header = {"command_id": command_id or f"c{self._command}", "sitting_id": self.sitting_id}
        return await self.raw(name, {**header, **fields})

    async def raw(self, name: str, data: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.socket.call(name, data, namespace="/court", timeout=5)
        return answer

    async def join(self, sitting_id: str) -> dict[str, Any]:
        await self.connect(sitting_id)
        return await self.send("sitting.join")

    def named(self, event: str) -> list[dict[str, Any]]:
        return [data for name, data in self.events if name == event]

    @property
    def view(self) -> dict[str, Any]:
        """The newest view that came as an event."""
        views: list[dict[str, Any]] = [data["sitting"] for data in self.named("sitting.updated")]
        return views[-1]

    async def close(self) -> None:
        if self.socket.connected:
            await self.socket.disconnect()
        await self.http.close()


@dataclass
class Bed:
    """The running server and what tests reach behind it."""

    url: str
    parts: Parts
    media: FakeMedia
    hearing_id: str
    sitting_id: str
    ids: dict[str, str]
    links: dict[str, str]
    browsers: list[Browser] = field(default_factory=list)

    def browser(self) -> Browser:
        browser = Browser(self.url)
        self.browsers.append(browser)
        return browser

    async def person(self, key: str) -> Browser:
        """A signed-in browser of this person."""
        browser = self.browser()
        if key in STAFF:
            status, body = await browser.sign_in(STAFF[key])
        else:
            status, body = await browser.open_link(await self.fresh_link(key))
        assert status == 200, body
        return browser

    async def joined(self, key: str) -> Browser:
        browser = await self.person(key)
        ack = await browser.join(self.sitting_id)
        assert ack["ok"], ack
        return browser

    async def fresh_link(self, key: str) -> str:
        if key in self.links:
            return self.links.pop(key)
        clerk = self.browser()
        await clerk.sign_in("clerk_1")
        status, link = await clerk.post(f"/api/participants/{self.ids[key]}/link")
        assert status == 201, link
        return str(link["url"])

    async def in_session(self) -> Browser:
        """The presiding judge's browser, with the sitting opened."""
        judge = await self.joined("presiding")
        assert (await judge.send("sitting.open_lobby"))["ok"]
        assert (await judge.send("sitting.open"))["ok"]
        return judge

    async def report(self, *reports: dict[str, Any], headers: dict[str, str] = INTERNAL) -> tuple[int, Any]:
        body = {"worker_id": "w1", "reports": list(reports)}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/internal/media/reports", json=body, headers=headers) as r,
        ):
            return r.status, await r.json()


async def until(condition: Any, timeout_s: float = 5.0) -> None:
    """Wait until `condition()` holds; fails with the condition's source otherwise."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


def parts_for(folder: Path, port: int, media: FakeMedia, **changes: Any) -> Parts:
    clock, database = SystemClock(), Database(f"sqlite:///{folder / 'court.db'}")
    key = court_key(folder / "keys")
    web_root = folder / "dist"
    (web_root / "assets").mkdir(parents=True, exist_ok=True)
    (web_root / "index.html").write_text("<title>云庭</title>")
    (web_root / "assets" / "app.1a2b.js").write_text("1")
    room_limit = changes.pop("room_limit", 16)
    instead: Callable[[ObjectStore], ObjectStore] = changes.pop("store", lambda real: real)
    store = instead(FolderStore(folder / "objects"))
    others: Mapping[str, FakeMedia] = changes.pop("other_media", {})  # further workers, by address
    settings = SignalingSettings(
        base_url=f"http://127.0.0.1:{port}", internal_token="internal-secret", web_root=web_root,
        **{"media_urls": (MEDIA_URL, *others), "preflight": False, "seat_grace_s": 0.5, "upload_limit_bytes": 200_000, **changes},
    )  # fmt: skip
    return Parts(
        settings=settings, clock=clock, database=database, hearings=HearingService(database, clock, HearingSettings(room_limit)),
        exhibits=ExhibitRegistry(database, store, clock, EvidenceSettings(folder / "uploads", settings.upload_limit_bytes)), store=store,
        records=Records(
            view=RecordViews(database, store, clock).view,
            package=lambda id_, holder: package_zip(Archive(database, store, key), id_, holder=holder),
        ),
        media=lambda url: others.get(url, media),
    )  # fmt: skip


@asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[None]:
    """The application on a real port of the loopback interface."""
    runner = web.AppRunner(build_app(parts), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(parts.settings.base_url.rpartition(":")[2])).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def migrated(folder: Path) -> None:
    """A migrated database; the migrations themselves run once per test session."""
    template = folder.parent / "signaling-template.db"
    if not template.exists():
        await migrate(f"sqlite:///{template}")
    shutil.copy(template, folder / "court.db")


@asynccontextmanager
async def court_house(folder: Path, **changes: Any) -> AsyncIterator[Bed]:
    """Everything: database, court, staff, one hearing of all roles, links, running server."""
    media, port = FakeMedia(), free_port()
    await migrated(folder)
    parts = parts_for(folder, port, media, **{"court_id": str(COURT), **changes})
    await found_court(parts.database)
    async with parts.database.transaction() as connection:
        await connection.execute(update(t.staff).values(password_hash=_PASSWORD_HASH))
        await connection.execute(insert(t.courts).values(id="court_other", name="另一法院", created_at=parts.clock.now()))
        other = {
            "id": "clerk_other",
            "court_id": "court_other",
            "login": "clerk_other",
            "name": "外院书记员",
            "position": "clerk",
        }
        await connection.execute(insert(t.staff).values(**other, password_hash=_PASSWORD_HASH, disabled=False))
    created = await parts.hearings.create_hearing(
        NewHearing(
            COURT, "（2026）沪0106民初1234号", "民间借贷纠纷", "张某诉李某民间借贷纠纷", Procedure.ORDINARY, public=True,
            courtroom="第三在线法庭", scheduled_at=parts.clock.now() + timedelta(hours=1), people=PEOPLE, created_by=StaffId("clerk_1"),
        )
    )  # fmt: skip
    bed = Bed(parts.settings.base_url, parts, media, created.hearing.id, created.sitting.id, dict(created.ids), {})
    async with running(parts):
        try:
            yield bed
        finally:
            for browser in bed.browsers:
                await browser.close()
    await parts.database.close()


_PASSWORD_HASH = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)  # cheap: many sign-ins here
