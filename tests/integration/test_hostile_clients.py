"""People who do not use our page: what their sockets, headers and guesses may reach, and what it costs the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import engineio
import pytest
from sqlalchemy import select, update
from yarl import URL

from hearing.model import SittingId
from signaling import session_watch
from signaling.presence import SOCKETS_PER_SESSION
from storage import tables as t
from tests.integration.signaling_bed import PASSWORD, Bed, Browser, court_house, until


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as bed:
        yield bed


async def raw(bed: Bed, head: bytes, body: bytes = b"") -> int:
    """One request as bytes; its status."""
    port = int(bed.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head + b"Host: 127.0.0.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1])


async def present(bed: Bed, key: str) -> bool:
    _, sitting = await bed.parts.hearings.load(SittingId(bed.sitting_id))
    return bed.ids[key] in sitting.present


def another_page(bed: Bed, browser: Browser) -> Browser:
    """A second page with the same session."""
    page = bed.browser()
    page.http.cookie_jar.update_cookies({cookie.key: cookie.value for cookie in browser.http.cookie_jar}, URL(bed.url))
    return page


# --- sockets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "packet",
    [
        '51000000000-/court,["note.add",{"_placeholder":true,"num":0}]',
        "2/court,",
        "2/court,{}",
        "2/court,[[[",
        "9",
        "3/court,7",
    ],
)
async def test_a_packet_that_is_no_command_ends_the_socket_quietly(
    bed: Bed, packet: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An announced flood of attachments would be kept in memory until the last has come."""
    observer = await bed.joined("observer")
    with caplog.at_level(logging.WARNING):
        await observer.socket.eio.send(packet)
        await observer.socket.eio.send(b"x" * 1_000)
        async with asyncio.timeout(5):
            while await present(bed, "observer"):
                await asyncio.sleep(0.05)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert await bed.joined("clerk"), "the server goes on"


async def test_nonsense_of_strangers_is_not_logged(bed: Bed, caplog: pytest.LogCaptureFixture) -> None:
    stranger = engineio.AsyncClient()
    await stranger.connect(bed.url, transports=["websocket"], engineio_path="socket.io")
    with caplog.at_level(logging.WARNING):
        for packet in ("2", "2/court,[", "5", "x", "[" * 50_000, b"\x00\xff"):
            await stranger.send(packet)
        await asyncio.sleep(0.3)
    await stranger.disconnect()
    assert [record.getMessage() for record in caplog.records] == []


async def test_the_limit_of_commands_is_of_the_person_not_of_the_socket(tmp_path: Path) -> None:
    async with court_house(tmp_path, commands_per_10_s=6) as bed:
        first = await bed.joined("presiding")
        second = another_page(bed, first)
        await second.connect(bed.sitting_id)
        codes = [(await page.send("sitting.open"))["error"]["code"] for page in (first, second) * 4]
        assert codes[:5] == ["illegal_move", "not_joined", "illegal_move", "not_joined", "illegal_move"]
        assert set(codes[5:]) == {"too_many_commands"}


async def test_one_person_keeps_few_sockets_and_the_seat(bed: Bed) -> None:
    judge = await bed.joined("presiding")
    pages = []
    for _ in range(SOCKETS_PER_SESSION + 4):
        pages.append(another_page(bed, judge))
        await pages[-1].connect(bed.sitting_id)
    await until(lambda: sum(page.socket.connected for page in pages) == SOCKETS_PER_SESSION - 1)
    assert pages[-1].socket.connected
    assert (await judge.send("sitting.open_lobby"))["ok"]


async def test_revoked_access_ends_the_seat_at_once(tmp_path: Path) -> None:
    """Not after the grace period of a lost line: sound and picture follow the seat."""
    async with court_house(tmp_path, seat_grace_s=60.0) as bed:
        await bed.in_session()
        defendant = await bed.joined("defendant")
        clerk = await bed.person("clerk")
        assert any(bed.ids["defendant"] in grant.receivers for grant in bed.media.tables[-1].grants)
        assert (await clerk.ask("DELETE", f"/api/participants/{bed.ids['defendant']}/link"))[0] == 204
        await until(lambda: not any(bed.ids["defendant"] in grant.receivers for grant in bed.media.tables[-1].grants))
        assert not defendant.socket.connected
        assert not await present(bed, "defendant")


async def test_a_session_ended_elsewhere_loses_its_sockets(bed: Bed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By another signaling process, or because the account was closed."""
    monkeypatch.setattr(session_watch, "LOOK_EVERY_S", 0.1)
    (tmp_path / "second").mkdir()
    async with court_house(tmp_path / "second") as watched:
        judge, clerk, plaintiff = (
            await watched.joined("presiding"),
            await watched.joined("clerk"),
            await watched.joined("plaintiff"),
        )
        async with watched.parts.database.transaction() as connection:
            now = watched.parts.clock.now()
            await connection.execute(update(t.staff).where(t.staff.c.id == "clerk_1").values(disabled=True))
            mine = t.sessions.c.participant_id == watched.ids["plaintiff"]
            await connection.execute(update(t.sessions).where(mine).values(revoked_at=now))
            judges = t.sessions.c.staff_id == "judge_1"
            await connection.execute(update(t.sessions).where(judges).values(expires_at=now))
        await until(lambda: not clerk.socket.connected and not plaintiff.socket.connected)
        assert (await judge.send("sitting.open_lobby"))["ok"], "nobody is put out of a sitting by the clock"


# --- headers and bodies ---------------------------------------------------------------------------


async def test_headers_of_any_bytes_are_refused_not_failures(bed: Bed) -> None:
    assert await raw(bed, b"GET /metrics HTTP/1.1\r\nAuthorization: Bearer \xff\xfe\r\n") == 401
    assert await raw(bed, b"POST /internal/jobs HTTP/1.1\r\nAuthorization: Bearer \xff\xfe\r\n", b"{}") == 401
    assert await raw(bed, b"GET /api/me HTTP/1.1\r\nCookie: court_session=\xff\xfe\r\n") == 200
    assert await raw(bed, b"POST /api/sign-in HTTP/1.1\r\nOrigin: http://[::1\r\n", b"{}") == 403
    assert await raw(bed, b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nOrigin: http://[::1\r\n") == 400
    sign_in = b'{"login":"clerk_1","password":"%s"}' % PASSWORD.encode()
    assert await raw(bed, b"POST /api/sign-in HTTP/1.1\r\nUser-Agent: \xff\xfe\r\n", sign_in) == 200


async def test_a_long_body_is_refused_before_it_is_read_whole(bed: Bed) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield b" " * 100_000

    async with aiohttp.ClientSession() as session:
        try:
            async with session.post(f"{bed.url}/api/sign-in", data=endless()) as response:
                assert response.status == 413
        except aiohttp.ClientConnectionError:
            pass  # the server closed while we were still sending


async def test_a_docket_at_the_end_of_time_is_a_bad_field(bed: Bed) -> None:
    clerk = await bed.person("clerk")
    assert (await clerk.get("/api/docket", params={"from": "9999-12-31T23:00:00+00:00"}))[0] == 400
    edge = {"from": "0001-01-01T00:00:00+14:00", "to": "0001-01-01T00:00:00+00:00"}
    assert (await clerk.get("/api/docket", params=edge))[0] == 400


async def test_cookies_are_secure_where_people_come_by_https(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        object.__setattr__(bed.parts.settings, "base_url", "https://court.example")
        async with aiohttp.ClientSession() as session:
            body = {"login": "clerk_1", "password": PASSWORD}
            async with session.post(f"{bed.url}/api/sign-in", json=body) as response:
                assert "Secure" in response.headers["Set-Cookie"]


# --- guesses --------------------------------------------------------------------------------------


async def test_a_made_up_forwarding_line_is_not_the_address(tmp_path: Path) -> None:
    """A proxy may put its line behind the client's own: only the last one is the proxy's."""
    async with court_house(tmp_path, trusted_proxies=("127.0.0.1",)) as bed:
        head = b"POST /api/sign-in HTTP/1.1\r\nX-Forwarded-For: 6.6.6.%d\r\nX-Forwarded-For: 203.0.113.9\r\n"
        for n in range(5):
            assert await raw(bed, head % n, b'{"login":"clerk_1","password":"wrong"}') == 401
        assert await raw(bed, head % 99, b'{"login":"clerk_1","password":"wrong"}') == 429
        async with bed.parts.database.read() as connection:
            addresses = set((await connection.execute(select(t.sign_in_failures.c.ip))).scalars())
        assert addresses == {"203.0.113.9"}


async def test_nobody_is_locked_out_by_guesses_from_elsewhere(tmp_path: Path) -> None:
    async with court_house(tmp_path, trusted_proxies=("127.0.0.1",)) as bed:
        stranger, judge = bed.browser(), bed.browser()
        for _ in range(6):
            wrong = {"login": "judge_1", "password": "wrong"}
            await stranger.post("/api/sign-in", wrong, headers={"X-Forwarded-For": "203.0.113.9"})
        right = {"login": "judge_1", "password": PASSWORD}
        assert (await judge.post("/api/sign-in", right, headers={"X-Forwarded-For": "198.51.100.7"}))[0] == 200
        assert (await stranger.post("/api/sign-in", right, headers={"X-Forwarded-For": "203.0.113.9"}))[0] == 429


async def test_an_account_has_one_count_however_it_is_written(bed: Bed) -> None:
    stranger = bed.browser()
    for login in ("clerk_1", "clerk_1@", " CLERK_1", f"clerk_1@{bed.parts.settings.court_id}", "clerk_1"):
        assert (await stranger.sign_in(login, "wrong"))[0] == 401
    assert (await stranger.sign_in("clerk_1@", "wrong"))[1]["code"] == "sign_in_throttled"
