"""`court rehearse`: a scripted hearing on a temporary or a running server, judged and reported. Exit 1 when it falls short."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from court.log import configure_logging
from court.rehearsal.director import Director, RehearsalFailed
from court.rehearsal.door import Credentials, CredentialsError, HttpRefused, load_credentials
from court.rehearsal.measure import measure
from court.rehearsal.report import Report, VerifyRow, judge, summary
from court.rehearsal.script import Say, Script, ScriptError, load_script
from court.rehearsal.server import ServerDied, temporary_server
from court.rehearsal.voice import Speech, encode_speech
from hearing.model import SittingState
from hearing.timeline import hh_mm_ss
from record.verify import verify
from signaling.protocol import RecordView
from storage.clock import SystemClock

SEALED_WITHIN_S = 120.0
CLOSED_WITHIN_S = 30.0  # the news of an acknowledged command may come later, over a new connection after a restart
CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Stage:
    """The server a rehearsal plays on."""

    base_url: str
    credentials: Credentials
    folder: Path


def rehearse(options: argparse.Namespace) -> int:
    """0: every expectation met · 1: some missed, or the rehearsal broke off · 2: script or arguments cannot be used."""
    configure_logging("warning", "console", "rehearsal")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the temporary server is stopped too
    try:
        script = load_script(options.script)
        if options.loss is not None:
            script = script.on_a_bad_network(options.loss)
        report = asyncio.run(_rehearse(script, options))
    except (ScriptError, CredentialsError) as error:
        print(f"court rehearse: {error}", file=sys.stderr)
        return 2
    except (RehearsalFailed, ServerDied, HttpRefused, OSError) as error:
        print(f"court rehearse: 演练中断：{error}", file=sys.stderr)
        return 1
    if options.json:
        print(report.model_dump_json(indent=2))
        print(summary(report), file=sys.stderr)
    else:
        print(summary(report))
    return 0 if report.passed else 1


async def _rehearse(script: Script, options: argparse.Namespace) -> Report:
    started_at = CLOCK.now()
    started = CLOCK.monotonic()

    def progress(line: str) -> None:
        print(f"[{hh_mm_ss(int((CLOCK.monotonic() - started) * 1000))}] {line}", file=sys.stderr, flush=True)

    progress(f"演练：{script.title}{'（合成语音）' if script.synthetic else ''}")
    speeches = await asyncio.to_thread(_encode, script, options.script.parent)
    async with _stage(script, options) as stage:
        progress(f"服务器 {stage.base_url}")
        async with Director(script, options.script.parent, stage.base_url, stage.credentials, CLOCK, progress) as director:
            await director.prepare(speeches)
            await director.play()
            progress("等待封存记录")
            record, proof = await _collect(director, stage.folder, options.export)
    return _report(script, director, record, proof, (started_at, CLOCK.monotonic() - started))


def _encode(script: Script, folder: Path) -> dict[str, Speech]:
    names = {step.audio for step in script.steps if isinstance(step, Say)}
    return {name: encode_speech(folder / name) for name in sorted(names)}


@asynccontextmanager
async def _stage(script: Script, options: argparse.Namespace) -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="court-rehearsal-") as temporary:
        folder = options.folder.absolute() if options.folder else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if options.url:
            yield Stage(options.url.rstrip("/"), load_credentials(options.credentials), folder)
            return
        stores = dict(zip(("COURT_STORE_A", "COURT_STORE_B"), options.stores or (), strict=False))
        async with temporary_server(folder, captions=script.expect.captions, settings=stores) as server:
            yield Stage(server.base_url, server.credentials, folder)


async def _collect(director: Director, folder: Path, export: Path | None) -> tuple[RecordView | None, VerifyRow]:
    """Wait for the seal, fetch record and package, and verify the package with the travelling verifier."""
    if not await director.clerk.sees(SittingState.CLOSED, within_s=CLOSED_WITHIN_S):
        return None, VerifyRow(complete=False, problems=["庭次没有闭庭，没有记录可核验"])
    record = await _sealed(director)
    if record is None or record.proof.state == "sealing":
        return record, VerifyRow(complete=False, problems=[f"记录在 {SEALED_WITHIN_S:.0f} 秒内没有封存"])
    package = folder / f"{director.created.hearing_id}.zip"
    await director.clerk.door.save_package(director.created.hearing_id, package)
    outcome = await asyncio.to_thread(verify, package)
    if export is not None:
        await asyncio.to_thread(_export, package, export)
    return record, VerifyRow(complete=outcome.complete, problems=list(outcome.problems))


async def _sealed(director: Director) -> RecordView | None:
    deadline = CLOCK.monotonic() + SEALED_WITHIN_S
    record: RecordView | None = None
    while CLOCK.monotonic() < deadline:
        try:
            record = await director.clerk.door.record(director.created.sitting_id)
        except (HttpRefused, OSError):
            record = None  # not closed, or the server is on its way up again
        if record is not None and record.proof.state != "sealing":
            return record
        await asyncio.sleep(0.5)
    return record


def _export(package: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.unpack_archive(package, folder, "zip")


def _report(
    script: Script, director: Director, record: RecordView | None, proof: VerifyRow, time: tuple[datetime, float]
) -> Report:
    measured = measure(director, record, proof)
    return Report(
        title=script.title,
        synthetic=script.synthetic,
        started_at=time[0],
        duration_s=round(time[1], 1),
        participants=measured.participants,
        tracks=measured.tracks,
        captions=measured.captions,
        stray_captions=measured.stray_captions,
        cer=measured.cer,
        exhibits=measured.exhibits,
        commands=measured.commands,
        verify=proof,
        expectations=list(judge(script.expect, measured)),
        problems=director.notes.problems,
    )
