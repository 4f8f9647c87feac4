"""Sign-in, personal links, CSRF, throttling, second sign-in (S24)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from storage import tables as t
from tests.integration.signaling_bed import Bed, court_house, until


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as bed:
        yield bed


async def test_staff_sign_in_and_out(bed: Bed) -> None:
    clerk = bed.browser()
    assert (await clerk.get("/api/me"))[1] == {
        "kind": "none", "court_name": "某区人民法院", "name": "", "position": "", "participant_id": None, "hearing_id": None,
        "sitting_id": None, "csrf": "",
    }  # fmt: skip
    status, me = await clerk.sign_in("clerk_1")
    assert (status, me["kind"], me["position"]) == (200, "staff", "clerk")
    assert (await clerk.post("/api/sign-out"))[0] == 204
    assert (await clerk.get("/api/docket"))[1]["code"] == "not_signed_in"


async def test_only_the_hash_of_a_token_is_stored(bed: Bed) -> None:
    clerk = await bed.person("clerk")
    cookie = next(iter(clerk.http.cookie_jar))
    assert cookie.key == "court_session"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    async with bed.parts.database.read() as connection:
        stored = (await connection.execute(select(t.sessions.c.token_sha256))).scalars().all()
    assert cookie.value not in stored
    assert all(len(value) == 64 for value in stored)


async def test_wrong_password_and_unknown_login_read_alike(bed: Bed) -> None:
    stranger = bed.browser()
    assert await stranger.sign_in("clerk_1", "wrong") == await stranger.sign_in("nobody", "wrong")
    assert (await stranger.sign_in("clerk_1", "wrong"))[1]["code"] == "sign_in_failed"


async def test_five_failures_close_the_login_for_a_while(bed: Bed) -> None:
    stranger = bed.browser()
    for _ in range(5):
        assert (await stranger.sign_in("clerk_1", "wrong"))[0] == 401
    status, refusal = await stranger.sign_in("clerk_1")
    assert (status, refusal["code"]) == (429, "sign_in_throttled")
    assert (await stranger.sign_in("judge_1"))[0] == 200, "another login is not closed"
    async with bed.parts.database.transaction() as connection:
        await connection.execute(update(t.sign_in_failures).values(at=bed.parts.clock.now() - timedelta(minutes=16)))
    assert (await stranger.sign_in("clerk_1"))[0] == 200


async def test_twenty_failures_close_the_address(bed: Bed) -> None:
    async with bed.parts.database.transaction() as connection:
        rows = [{"login": f"guess{n}", "ip": "127.0.0.1", "at": bed.parts.clock.now()} for n in range(20)]
        await connection.execute(t.sign_in_failures.insert(), rows)
    assert (await bed.browser().sign_in("judge_1"))[1]["code"] == "sign_in_throttled"


async def test_staff_of_another_court_do_not_come_in_here(bed: Bed) -> None:
    assert (await bed.browser().sign_in("clerk_other"))[1]["code"] == "sign_in_failed"
    assert (await bed.browser().sign_in("clerk_other@court_other"))[1]["code"] == "sign_in_failed"


async def test_where_several_courts_are_served_the_login_names_the_court(tmp_path: Path) -> None:
    async with court_house(tmp_path, court_id=None) as bed:
        assert (await bed.browser().sign_in("clerk_1"))[1]["code"] == "sign_in_failed"
        assert (await bed.browser().sign_in("clerk_1@court_test"))[1]["court_name"] == "某区人民法院"
        other = bed.browser()
        assert (await other.sign_in("clerk_other@court_other"))[1]["court_name"] == "另一法院"
        assert (await other.get(f"/api/hearings/{bed.hearing_id}"))[1]["code"] == "not_found"
        assert (await other.get("/api/docket"))[1] == []


async def test_a_link_works_once(bed: Bed) -> None:
    url = await bed.fresh_link("plaintiff")
    plaintiff = bed.browser()
    status, me = await plaintiff.open_link(url)
    assert (status, me["kind"], me["participant_id"], me["sitting_id"]) == (
        200,
        "participant",
        bed.ids["plaintiff"],
        bed.sitting_id,
    )
    status, refusal = await bed.browser().open_link(url)
    assert (status, refusal["code"]) == (410, "link_used")
    assert (await plaintiff.open_link(url))[0] == 200, "the same browser may reload the link's page"
    assert (await plaintiff.get("/api/me"))[1]["participant_id"] == bed.ids["plaintiff"]


async def test_links_expire_are_revoked_and_may_be_nonsense(bed: Bed) -> None:
    expired, revoked = await bed.fresh_link("plaintiff"), await bed.fresh_link("defendant")
    async with bed.parts.database.transaction() as connection:
        past = bed.parts.clock.now() - timedelta(seconds=1)
        await connection.execute(
            update(t.links).where(t.links.c.participant_id == bed.ids["plaintiff"]).values(expires_at=past)
        )
    assert (await bed.browser().open_link(expired))[1]["code"] == "link_expired"
    await bed.fresh_link("defendant")
    assert (await bed.browser().open_link(revoked))[1]["code"] == "link_revoked", "a fresh link revokes the older one"
    assert (await bed.browser().open_link("http://x/j/nonsense"))[1]["code"] == "link_unknown"
    refusal = (await bed.browser().post("/api/link", {"token": 7}))[1]
    assert (refusal["code"], refusal["field"]) == ("bad_field", "token")


async def test_revoking_access_ends_the_session(bed: Bed) -> None:
    plaintiff, clerk = await bed.joined("plaintiff"), await bed.person("clerk")
    path = f"/api/participants/{bed.ids['plaintiff']}/link"
    assert (await clerk.ask("DELETE", path))[0] == 204
    await until(lambda: not plaintiff.socket.connected)
    assert (await plaintiff.get("/api/docket"))[1]["code"] == "not_signed_in"
    assert (await plaintiff.ask("DELETE", path))[1]["code"] == "not_signed_in"


async def test_second_sign_in_closes_the_first_with_a_message(bed: Bed) -> None:
    first = await bed.joined("plaintiff")
    await bed.person("plaintiff")  # a fresh link on another device
    await until(lambda: not first.socket.connected)
    assert "另一" in first.named("session.replaced")[0]["message"]
    assert (await first.get("/api/docket"))[0] == 401


async def test_unsafe_methods_need_the_csrf_token_and_our_origin(bed: Bed) -> None:
    clerk = await bed.person("clerk")
    body = {"camera": "ok", "microphone": "ok", "speaker": "ok", "browser": "test"}
    assert (await clerk.post("/api/self-test", body, headers={"X-CSRF-Token": ""}))[1]["code"] == "csrf_failed"
    assert (await clerk.post("/api/self-test", body, headers={"Origin": "http://evil.example"}))[1]["code"] == "origin_refused"
    assert (await clerk.post("/api/self-test", body, headers={"Origin": bed.url}))[0] == 204
    foreign = {"Origin": "http://evil.example"}
    assert (await bed.browser().post("/api/sign-in", {"login": "clerk_1", "password": "x"}, headers=foreign))[1][
        "code"
    ] == "origin_refused"


async def test_security_headers_and_errors_in_json(bed: Bed) -> None:
    browser = bed.browser()
    async with browser.http.get("/") as page:
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Permissions-Policy"].startswith("camera=(self), microphone=(self)")
        assert page.headers["Cache-Control"] == "no-cache"
    async with browser.http.get("/sittings/x/lobby") as page:
        assert "云庭" in await page.text(), "unknown paths are the single page"
    async with browser.http.get("/assets/app.1a2b.js") as file:
        assert "immutable" in file.headers["Cache-Control"]
    for path in ("/assets/old.js", "/api/nothing", "/..%2f..%2fcourt.db", "/%00"):
        status, body = await browser.get(path)
        assert status == 404 or b"<title>" in body
    assert (await browser.get("/api/nothing"))[1]["code"] == "not_found"
    assert (await browser.ask("PUT", "/api/sign-in"))[1]["code"] in {"not_signed_in", "method_not_allowed"}
    assert (await browser.ask("POST", "/api/sign-in", data=b"{not json"))[1]["code"] == "bad_body"
    assert (await browser.post("/api/sign-in", {"login": "a", "password": "b", "extra": 1}))[1]["field"] == "extra"
