"""The film over HTTP: who may have it, ranges, its log, and asking for one."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from record import film_store, store
from record.film_store import Film
from storage import tables as t
from tests.integration.signaling_bed import Bed, Browser, court_house

DATA = bytes(range(256)) * 40


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as opened:
        yield opened


async def sealed_sitting(bed: Bed) -> Browser:
    judge = await bed.in_session()
    await judge.send("sitting.close")
    async with bed.parts.database.transaction() as connection:
        await connection.execute(update(t.sittings).values(sealed_manifest_sha256="a" * 64))
    return judge


async def make_film(bed: Bed) -> None:
    """As the job leaves it."""
    stored = await bed.parts.store.put("courts/c/sittings/s/film-1.mp4", DATA)
    film = Film(stored.key, stored.bytes, stored.sha256, 8000, b"{}", b"{}", bed.parts.clock.now())
    async with bed.parts.database.transaction() as connection:
        material = await store.material_of(connection, bed.sitting_id)
        recipe = await film_store.recipe_of(connection, bed.sitting_id)
        assert material is not None
        assert recipe is not None
        await film_store.write_film(connection, material, recipe, film)


async def test_states_from_asking_to_playing(bed: Bed) -> None:
    judge, path = await sealed_sitting(bed), f"/api/sittings/{bed.sitting_id}/film"
    plaintiff = await bed.person("plaintiff")
    assert (await judge.get(path))[1] | {"made_at": None} == {
        "state": "none", "progress": 0.0, "may_ask": True, "bytes": None, "sha256": None, "duration_ms": None, "made_at": None,
    }  # fmt: skip
    assert (await plaintiff.get(path))[1]["may_ask"] is False
    assert (await plaintiff.post(path))[0] == 403
    for _ in range(2):
        assert (await judge.post(path))[1]["state"] == "queued"
    async with bed.parts.database.transaction() as connection:
        mine = t.jobs.c.kind == "film"
        assert len((await connection.execute(select(t.jobs).where(mine))).all()) == 1
        await connection.execute(update(t.jobs).where(mine).values(state="running"))
        await film_store.write_progress(connection, bed.sitting_id, 0.37)
    assert (await plaintiff.get(path))[1] | {"may_ask": False} == (await judge.get(path))[1]
    assert ((await judge.get(path))[1]["state"], (await judge.get(path))[1]["progress"]) == ("making", 0.37)
    async with bed.parts.database.transaction() as connection:
        await connection.execute(update(t.jobs).where(mine).values(state="failed"))
    assert [(await judge.get(path))[1][name] for name in ("state", "may_ask")] == ["failed", True]
    await make_film(bed)
    _, ready = await plaintiff.get(path)
    assert (ready["state"], ready["bytes"], ready["sha256"]) == ("ready", len(DATA), hashlib.sha256(DATA).hexdigest())


async def test_who_may_play_it_and_what_is_logged(bed: Bed) -> None:
    await sealed_sitting(bed)
    await make_film(bed)
    path = f"/api/sittings/{bed.sitting_id}/film"
    for key, status in {
        "presiding": 200,
        "clerk": 200,
        "plaintiff": 200,
        "agent": 200,
        "witness": 403,
        "observer": 403,
    }.items():
        browser = await bed.person(key)
        assert ((await browser.get(path))[0], (await browser.get(f"{path}.mp4"))[0]) == (status, status), key
    plaintiff = await bed.person("plaintiff")
    async with plaintiff.http.get(f"{path}.mp4", headers={"Range": "bytes=1000-1999"}) as part:
        assert (part.status, await part.read(), part.headers["Cache-Control"]) == (206, DATA[1000:2000], "private, no-store")
        assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(DATA)}"
    async with plaintiff.http.get(f"{path}.mp4", headers={"Range": f"bytes={len(DATA)}-"}) as beyond:
        assert beyond.status == 416
    async with bed.parts.database.read() as connection:
        logged = (await connection.execute(select(t.access_log.c.what).where(t.access_log.c.what.startswith("film")))).scalars()
        assert sorted(logged) == ["film"] * 4 + ["film_part"]


async def test_an_order_takes_it_from_everybody_at_once(bed: Bed) -> None:
    judge = await sealed_sitting(bed)
    await make_film(bed)
    path = f"/api/sittings/{bed.sitting_id}/film"
    async with bed.parts.database.transaction() as connection:
        person = (await connection.execute(select(t.participants.c.id).limit(1))).scalar_one()
        court = (await connection.execute(select(t.sittings.c.court_id).limit(1))).scalar_one()
        row = {"id": "ord_1", "court_id": court, "sitting_id": bed.sitting_id, "track_id": "", "t0_ms": 0, "t1_ms": 10}
        row |= {"access": "sealed", "ruling": "r", "ordered_by": person, "at": bed.parts.clock.now()}
        await connection.execute(insert(t.access_orders).values(**row))
    assert ((await judge.get(f"{path}.mp4"))[0], (await judge.get(path))[1]["state"]) == (404, "none")
