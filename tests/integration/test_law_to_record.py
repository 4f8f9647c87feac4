"""From the law's own service to a verified package: a whole short sitting given as commands, with a recess and a witness."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from evidence.registry import ExhibitRegistry
from evidence.settings import EvidenceSettings
from hearing import commands as c
from hearing.model import Actor, CourtId, ParticipantId, Procedure, Role, SittingId, StaffId, Stage
from hearing.scheduling import NewHearing, NewPerson
from hearing.service import Created, HearingService
from record.keys import court_key
from record.package import Archive, export_hearing
from record.replay import record_view
from record.seal import Sealer
from record.verify import verify
from storage import tables as t
from storage.database import Database
from storage.folder import FolderStore
from tests.integration.record_case import OPENED_AT, SetClock, chunks, pdf


async def set_down(database: Database, service: HearingService) -> Created:
    async with database.transaction() as connection:
        await connection.run_sync(t.metadata.create_all)
        await connection.execute(insert(t.courts).values(id="court_1", name="上海市静安区人民法院", created_at=OPENED_AT))
        for position in ("judge", "clerk"):
            row = {"id": f"staff_{position}", "court_id": "court_1", "login": position, "name": position, "position": position}
            await connection.execute(insert(t.staff).values(**row, password_hash="", disabled=False))
    people = (
        NewPerson("j", Role.PRESIDING_JUDGE, "陈静", staff_id=StaffId("staff_judge")),
        NewPerson("c", Role.CLERK, "赵琳", staff_id=StaffId("staff_clerk")),
        NewPerson("p", Role.PLAINTIFF, "张伟"), NewPerson("d", Role.DEFENDANT, "李强"), NewPerson("w", Role.WITNESS, "王芳"),
    )  # fmt: skip
    return await service.create_hearing(
        NewHearing(
            court_id=CourtId("court_1"), case_number="（2026）沪0106民初1234号", cause="民间借贷纠纷", title="张伟诉李强民间借贷纠纷",
            procedure=Procedure.ORDINARY, public=True, courtroom="第三在线法庭", scheduled_at=OPENED_AT, people=people, created_by=None,
        )
    )  # fmt: skip


async def test_a_sitting_given_as_commands_becomes_a_verified_package(tmp_path: Path) -> None:
    database, clock, objects = (
        Database(f"sqlite:///{tmp_path / 'court.db'}"),
        SetClock(OPENED_AT),
        FolderStore(tmp_path / "objects"),
    )
    service = HearingService(database, clock)
    try:
        created = await set_down(database, service)
        ids, sitting_id = created.ids, created.sitting.id
        registry = ExhibitRegistry(database, objects, clock, EvidenceSettings(tmp_path / "uploads"))
        plaintiff = created.hearing.participant(ids["p"])
        assert plaintiff
        exhibit = await registry.submit(created.hearing.id, plaintiff, "借条.pdf", "借条", "", chunks(pdf()))
        await play(service, clock, created.hearing.id, sitting_id, ids, exhibit.id)
        clock.at += timedelta(minutes=11)  # nobody sent anything, and no media server ever spoke of it
        key = court_key(tmp_path / "keys")
        await Sealer(database, objects, key, clock).seal({"sitting_id": sitting_id})
        out = await export_hearing(Archive(database, objects, key, clock), created.hearing.id, tmp_path / "out")
        view = await record_view(database, objects, sitting_id, clock=clock)
    finally:
        await database.close()
    report = verify(out, key.fingerprint)
    assert (report.problems, report.verdict) == ((), "complete_with_gaps")
    text = (out / "sitting-1" / "transcript.txt").read_text(encoding="utf-8")
    acts = [line.split("] ", 1)[1] for line in text.splitlines() if line.startswith("[")]
    assert acts == [
        "（审判长宣布开庭）", "（进入举证质证阶段）", "（出示原告证据1《借条》第1页）", "（出示原告证据1《借条》第2页）", "（收回出示原告证据1《借条》）",
        "（审判长宣布休庭）", "（审判长宣布恢复庭审）", "（传证人王芳到庭）", "（书记员记）证人已签署保证书。", "（证人王芳退庭）", "（审判长宣布闭庭）",
    ]  # fmt: skip
    assert [(i["state"], i["t0_ms"], i["t1_ms"]) for i in view["intervals"]] == [  # type: ignore[attr-defined]
        ("in_session", 0, 4000), ("recess", 4000, 5000), ("in_session", 5000, 9000),
    ]  # fmt: skip
    assert [(s["page"], s["t0_ms"], s["t1_ms"]) for s in view["showings"]] == [(1, 2000, 3000), (2, 3000, 4000)]  # type: ignore[attr-defined]


async def play(
    service: HearingService,
    clock: SetClock,
    hearing_id: str,
    sitting_id: SittingId,
    ids: dict[str, ParticipantId],
    exhibit_id: str,
) -> None:
    """One command a second from the opening on."""
    roles = {"j": Role.PRESIDING_JUDGE, "c": Role.CLERK, "p": Role.PLAINTIFF, "d": Role.DEFENDANT, "w": Role.WITNESS}

    async def give(who: str, command: c.Command) -> None:
        await service.execute(sitting_id, command, Actor(ids[who], roles[who]))

    clock.at = OPENED_AT - timedelta(seconds=10)
    await give("c", c.OpenLobby())
    for who in roles:
        await give(who, c.Enter())
    clock.at = OPENED_AT
    script: list[tuple[str, c.Command]] = [
        ("j", c.OpenSitting()), ("j", c.GoToStage(Stage.EVIDENCE)), ("j", c.ShowExhibit(exhibit_id, 1)),  # type: ignore[arg-type]
        ("j", c.ShowExhibit(exhibit_id, 2)), ("j", c.Adjourn()), ("j", c.Resume()), ("j", c.CallWitness(ids["w"])),  # type: ignore[arg-type]
        ("c", c.AddNote("证人已签署保证书。")), ("j", c.DismissWitness(ids["w"])), ("j", c.Close()),
    ]  # fmt: skip
    for who, command in script:
        await give(who, command)
        clock.at += timedelta(seconds=1)
    for who in ("p", "j"):
        await give(who, c.Leave())
