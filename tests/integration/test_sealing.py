"""Sealing: it waits for the whole recording, survives its own interruption, declares what is missing; and the record page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from sqlalchemy import delete, insert, select, update

from hearing.errors import NotNow, UnknownId
from record.replay import exhibit_links, record_view
from record.seal import Sealer
from signaling.protocol import RecordView
from storage import tables as t
from storage.objects import manifest_key, signature_key
from storage.queue import RetryLater, enqueue
from tests.integration.record_case import (
    COURT,
    DEFENDANT,
    JUDGE,
    OPENED_AT,
    PLAINTIFF,
    SITTING,
    Case,
    SetClock,
    at,
    open_case,
    open_full_case,
)

ROOT = Path(__file__).resolve().parents[2]
JOB = {"sitting_id": SITTING}


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    async with open_full_case(tmp_path, sealed=False) as opened:
        yield opened


async def manifest_of(case: Case) -> dict:  # type: ignore[type-arg]
    return dict(json.loads(await case.objects.get(manifest_key(COURT, SITTING))))


async def view_of(case: Case) -> RecordView:
    return RecordView.model_validate(
        {**await record_view(case.database, case.objects, SITTING, clock=case.clock), "viewer": "赵琳", "view_id": "0A1B2C3D"}
    )


async def seal_with(case: Case, sealer: Sealer) -> str:
    """Reason for waiting, or "sealed"."""
    try:
        await sealer.seal(JOB)
    except RetryLater as later:
        return str(later)
    return "sealed"


async def remove_end(case: Case, track_id: str) -> None:
    async with case.database.transaction() as connection:
        await connection.execute(delete(t.track_ends).where(t.track_ends.c.track_id == track_id))


async def test_it_waits_for_late_captions_then_seals_once(case: Case) -> None:
    case.clock.at = at(8000) + timedelta(seconds=1)
    assert await seal_with(case, case.sealer()) == "captions may still come"
    case.clock.at = at(8000) + timedelta(seconds=7)
    assert await seal_with(case, case.sealer()) == "sealed"
    first = await manifest_of(case)
    case.clock.at += timedelta(hours=1)
    assert await seal_with(case, case.sealer()) == "sealed"
    assert await manifest_of(case) == first
    assert (await view_of(case)).proof.sealed_at == at(15_000)


async def test_it_waits_for_every_track_and_gives_up_with_a_declared_gap(case: Case) -> None:
    track_id = f"{JUDGE}-audio"
    await remove_end(case, track_id)
    async with case.database.transaction() as connection:
        last = (t.segments.c.track_id == track_id) & (t.segments.c.index == 2)
        await connection.execute(delete(t.segments).where(last))
    case.clock.at = at(8000) + timedelta(seconds=60)
    assert track_id in await seal_with(case, case.sealer())
    case.clock.at = at(8000) + timedelta(seconds=301)
    assert await seal_with(case, case.sealer(give_up_s=300.0)) == "sealed"
    gaps = [(g["track_id"], g["cause"], g["t0_ms"], g["t1_ms"]) for g in (await manifest_of(case))["gaps"]]
    assert (track_id, "recording_unfinished", 6000, 8000) in gaps
    assert (await view_of(case)).proof.state == "complete_with_gaps"


async def test_it_waits_for_a_refill_of_this_sitting(case: Case) -> None:
    async with case.database.transaction() as connection:
        await enqueue(connection, "refill", {"sitting_id": "sit_other"}, COURT, OPENED_AT)
        job_id = await enqueue(connection, "refill", JOB, COURT, OPENED_AT)
    case.clock.at = at(8000) + timedelta(seconds=60)
    assert await seal_with(case, case.sealer()) == "1 refill job(s) are open"
    async with case.database.transaction() as connection:
        await connection.execute(update(t.jobs).where(t.jobs.c.id == job_id).values(state="done"))
    assert await seal_with(case, case.sealer()) == "sealed"


async def test_an_open_sitting_is_left_alone(case: Case) -> None:
    async with case.database.transaction() as connection:
        await connection.execute(update(t.sittings).values(state="in_session", closed_at=None))
    await case.sealer().seal(JOB)
    assert [key async for key in case.objects.list(manifest_key(COURT, SITTING))] == []
    with pytest.raises(UnknownId):
        await case.sealer().seal({"sitting_id": "sit_9"})


@pytest.mark.parametrize("stop_after", [1, 3, 4, 5])
async def test_an_interrupted_sealing_is_finished_by_the_next(
    case: Case, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    put, done = case.objects.put, 0

    async def put_or_die(key: str, data: AsyncIterator[bytes] | bytes) -> object:
        nonlocal done
        done += 1
        stored = await put(key, data)
        if done == stop_after:
            raise KeyboardInterrupt
        return stored

    with monkeypatch.context() as patch:
        patch.setattr(case.objects, "put", put_or_die)
        with pytest.raises(KeyboardInterrupt):
            await case.sealer().seal(JOB)
    async with case.database.transaction() as connection:  # meanwhile another line arrived
        row = dict((await connection.execute(select(t.utterances).limit(1))).mappings().one())
        await connection.execute(
            insert(t.utterances).values({**row, "id": f"{JUDGE}-audio@7000", "t0_ms": 7000, "t1_ms": 7500})
        )
    await case.sealer().seal(JOB)
    assert (await view_of(case)).proof.state == "complete_with_gaps"


async def test_the_manifest_is_what_the_schema_says(case: Case) -> None:
    await case.sealer().seal(JOB)
    schema = json.loads((ROOT / "docs" / "manifest.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    manifest = await manifest_of(case)
    assert list(validator.iter_errors(manifest)) == []
    signature = json.loads(await case.objects.get(signature_key(COURT, SITTING)))
    assert list(validator.evolve(schema={"$ref": "#/$defs/signature", "$defs": schema["$defs"]}).iter_errors(signature)) == []
    for name in manifest:
        assert list(validator.iter_errors({key: value for key, value in manifest.items() if key != name})), (
            f"{name} may be missing"
        )
        assert list(validator.iter_errors({**manifest, name: 0.5})), f"{name} may be anything"
    assert list(validator.iter_errors({**manifest, "note": ""}))


async def test_what_the_manifest_states(case: Case) -> None:
    await case.sealer().seal(JOB)
    manifest = await manifest_of(case)
    assert (manifest["presiding_judge"], manifest["recording_responsible"]) == (JUDGE, "part_clerk")
    assert manifest["totals"] | {"media_bytes": 0} == {
        "recorded_ms": 6000, "interrupted_ms": {"休庭": 2000}, "tracks": 4, "segments": 11, "media_bytes": 0, "filled_ms": 0,
        "muted_ms": 0, "gap_ms": 1000 + 2 * 6000, "loss_ratio": 0.0,  # agent and clerk were there and sent nothing
    }  # fmt: skip
    recorded = {track["track_id"] for track in manifest["tracks"]}
    silent = {gap["track_id"]: gap["cause"] for gap in manifest["gaps"] if gap["track_id"] not in recorded}
    assert silent == {"part_agent-audio": "no_media", "part_clerk-audio": "no_media"}
    assert manifest["transcripts"][0]["engines"] == [f"faster-whisper whisper-base {'905e5bf8' * 8}"]


async def test_the_page_tells_of_damage_it_can_see_at_once(case: Case, tmp_path: Path) -> None:
    await case.sealer().seal(JOB)
    next((tmp_path / "objects").rglob(f"{DEFENDANT}-audio/000001.webm")).unlink()
    async with case.database.transaction() as connection:
        await connection.execute(t.ledger.delete().where(t.ledger.c.number == 10))
    proof = (await view_of(case)).proof
    assert proof.state == "damaged"
    assert any("000001.webm" in problem for problem in proof.problems)
    assert any("ledger" in problem for problem in proof.problems)


async def test_the_record_page(case: Case) -> None:
    before = await view_of(case)
    assert before.proof.state == "sealing"
    await case.sealer().seal(JOB)
    view = await view_of(case)
    assert (view.duration_ms, len(view.tracks), [i.recorded for i in view.intervals]) == (8000, 4, ["full", "none", "full"])
    gap = next(track for track in view.tracks if track.participant_id == DEFENDANT).gaps[0]
    assert (gap.t0_ms, gap.t1_ms, gap.cause) == (2000, 3000, "media_restart")
    assert [line.kind for line in view.lines].count("speech") == 2
    assert [line.text for line in view.lines if line.kind == "note"] == ["被告对真实性无异议。"]
    assert [(s.page, s.t0_ms, s.t1_ms) for s in view.showings] == [(1, 1500, 2500), (2, 2500, 3500)]
    assert [track.recorded_ms for track in view.tracks if track.participant_id == DEFENDANT] == [5000]
    assert view.proof.key_fingerprint == case.key.fingerprint
    links = await exhibit_links(case.database, SITTING, case.clock)
    spoken = f"{PLAINTIFF}-audio@1600"
    assert [spoken in moment["line_ids"] for moment in links["moments"]] == [True, False]  # type: ignore[attr-defined]


async def test_before_the_opening_there_is_no_record(tmp_path: Path) -> None:
    async with open_case(tmp_path) as case:
        with pytest.raises(NotNow):
            await record_view(case.database, case.objects, SITTING, clock=SetClock())
        with pytest.raises(UnknownId):
            await record_view(case.database, case.objects, "sit_9", clock=SetClock())
