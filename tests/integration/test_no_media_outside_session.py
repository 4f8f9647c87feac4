"""Recording is from 宣布开庭 to 闭庭 and only where something is to be kept (AV-3, S22): looked for, not believed.

Each phase of a running court has its own tone. In the lobby, in recess, in mediation and in deliberation no role holds a
writable file but databases, logs and its own lists; afterwards every file under data, in both stores and in TMPDIR is searched
for the tones: as the very packets that were sent, decoded as media, and decrypted with the court's keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import re
import struct
import threading
import time
import wave
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sqlalchemy import select

from court.rehearsal.voice import encode_speech
from storage.database import Database
from storage.envelope import Algorithm
from storage.stores import open_stores
from storage.tables import data_keys
from tests.rehearsing import changed_script, play
from tests.tones import A_TONE, share_of_tone, sound_of

TONE_S = 2.0
FRESH_PACKET_BYTES = 32  # shorter ones could be alike by chance
TONES = {"lobby": 700, "session": 440, "recess": 950, "closed": 1230, "mediation": 1570, "deliberation": 1910}
KEPT = {"session", "closed"}
BEGINS = {
    "open_lobby": "lobby",
    "sitting.open〕": "session",
    "adjourn": "recess",
    "resume": "between",
    "part.begin": "between",
    "part.end": "between",
}
HARMLESS = re.compile(r"(\.db(-wal|-shm|-journal)?|\.log|\.pid|/run/[^/]+|\.lock)$|/play/(data/objects|data-copy)/")
"""What may be open for writing at any time. The stores may still be getting what was recorded before: searched at the end."""


def tone_file(path: Path, hz: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        samples = (round(9_000 * math.sin(2 * math.pi * hz * n / 48_000)) for n in range(round(48_000 * TONE_S)))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


def through_all_phases(script: dict[str, Any]) -> None:
    """The lobby, the session and every part of it; in each the judge speaks its tone."""
    judge = "presiding_judge"

    def give(name: str, **fields: str) -> dict[str, Any]:
        return {"do": "command", "who": judge, "command": name, "fields": fields}

    def say(phase: str) -> dict[str, Any]:
        return {
            "do": "say",
            "who": judge,
            "audio": f"{phase}.wav",
            "text": phase,
            "then_pause_ms": 300 if phase in KEPT else 1600,
        }

    def part(name: str) -> list[dict[str, Any]]:
        return [give("part.begin", part=name, ruling=f"裁定：{name}"), say(name), give("part.end")]

    joins = [step for step in script["steps"] if step["do"] == "join" or step.get("command") == "sitting.open_lobby"]
    script["participants"] = [person for person in script["participants"] if person["key"] != "witness"]
    for step in joins:
        if step["do"] == "join":
            step["who"] = [who for who in step["who"] if who != "witness"]
    script["steps"] = [
        *joins, say("lobby"), give("sitting.open"), say("session"), give("sitting.adjourn"), say("recess"),
        give("sitting.resume"), *part("closed"), *part("mediation"), *part("deliberation"), give("sitting.close"),
    ]  # fmt: skip
    script["expect"] = {}


@dataclass
class Searched:
    """The packets of each tone, as every robot's encoder makes them."""

    packets: dict[str, list[bytes]]
    known: dict[bytes, set[str]] = field(default_factory=dict)  # store, package and zip hold the same contents

    @staticmethod
    def of(folder: Path) -> Searched:
        made = {phase: encode_speech(folder / f"{phase}.wav").packets[5:-5:2] for phase in TONES}
        return Searched(
            {phase: [p.payload for p in packets if len(p.payload) >= FRESH_PACKET_BYTES] for phase, packets in made.items()}
        )

    def found_in(self, data: bytes, *, decode: bool = True) -> set[str]:
        """The phases whose tone is in these bytes, as packets or as sound."""
        digest = hashlib.sha256(data).digest() + bytes([decode])
        if digest not in self.known:
            raw = {phase for phase, packets in self.packets.items() if any(packet in data for packet in packets)}
            sound = sound_of(data) if decode else np.zeros(0)
            self.known[digest] = raw | {phase for phase, hz in TONES.items() if share_of_tone(sound, hz) > A_TONE}
        return self.known[digest]


@dataclass
class Watch:
    """Looks several times a second at what each role holds open for writing, and at what lies in spool and TMPDIR."""

    folder: Path
    temporary: Path
    searched: Searched
    phase: str = "before"
    since: float = 0.0
    held: dict[str, list[set[str]]] = field(default_factory=lambda: defaultdict(list))  # look after look
    lay: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # phase: tones found while it lasted

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def heard(self, line: str) -> None:
        for mark, phase in BEGINS.items():
            if mark in line:
                self.phase, self.since = phase, time.monotonic()
        said = line.rpartition("：")[2].strip()
        if said in TONES:  # which part it is shows by what is said in it
            self.phase = said
        if "sitting.close" in line:
            self.phase, self.since = "after", time.monotonic()
        if not self._thread.is_alive() and self.phase == "lobby":
            self._thread.start()
        if "等待封存" in line:
            self._stop.set()

    def _look(self) -> None:
        while not self._stop.wait(0.15):
            phase, since = self.phase, self.since
            held = set(writable_files(self.folder))
            lay: set[str] = set()
            for path in (*files_under(self.folder / "data" / "spool"), *files_under(self.temporary)):
                lay |= self.searched.found_in(read(path), decode=False)
            if phase == self.phase and since == self.since:
                self.held[phase].append(held)
                self.lay[phase] |= lay


def roles_of(folder: Path) -> Iterator[psutil.Process]:
    for path in (folder / "data" / "run").glob("*.pid"):
        try:
            process = psutil.Process(int(path.read_text(encoding="ascii")))
            yield from (process, *process.children(recursive=True))
        except (psutil.NoSuchProcess, ValueError, FileNotFoundError):
            continue


def writable_files(folder: Path) -> Iterator[str]:
    """Every regular file that a role holds open for writing, deleted ones too, but databases, logs and the like."""
    for process in roles_of(folder):
        for descriptor in descriptors_of(process.pid):
            try:
                name = str(descriptor.readlink())
                flags = int(
                    re.search(r"flags:\s*(\d+)", (descriptor.parent.parent / "fdinfo" / descriptor.name).read_text())[1], 8
                )  # type: ignore[index]
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue
            written = name.startswith("/") and not name.startswith(("/dev/", "/proc/")) and flags & (os.O_WRONLY | os.O_RDWR)
            if written and not HARMLESS.search(name.removesuffix(" (deleted)")):
                yield name


def descriptors_of(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def files_under(*folders: Path) -> Iterable[Path]:
    return (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # closed and shipped meanwhile: looked for again at the end


async def decrypted(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Every object of the stores, opened with the court's keys: class and content by key."""
    data = folder / "data"
    database = Database(f"sqlite:///{data / 'court.db'}")
    try:
        places = data / "objects", folder / "data-copy"
        stores = open_stores(*places, database, folder / "keys" / "objects", Algorithm.AES_256_GCM)
        async with database.read() as connection:
            rows = (await connection.execute(select(data_keys.c.object_key, data_keys.c.key_class))).all()
        objects = stores.objects()
        return {key: (key_class, await objects.get(key)) for key, key_class in rows}
    finally:
        await database.close()


@pytest.mark.timeout(500)
def test_private_rooms_and_breaks_leave_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts, folder, temporary = tmp_path / "scripts", tmp_path / "play", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    script = changed_script("short.json", scripts, through_all_phases)
    for phase, hz in TONES.items():
        tone_file(scripts / f"{phase}.wav", hz)
    searched = Searched.of(scripts)
    watch = Watch(folder, temporary, searched)
    played = play(script, folder, watch.heard)
    assert played.status == 0, played.progress

    private = set(TONES) - KEPT
    assert all(len(watch.held[phase]) > 2 for phase in TONES), watch.held
    for phase in private:
        # At first what was recorded just before is written and closed; at the very last the next act is done before we hear of it.
        assert set() in watch.held[phase][-6:], f"{phase}: {watch.held[phase]}"
    assert all(any(".webm" in name for held in watch.held[phase] for name in held) for phase in KEPT), (
        "the test can see an open media file"
    )
    assert all(phase in watch.lay[phase] for phase in KEPT), "the test can find packets in the spool"
    assert not private & set().union(*watch.lay.values())

    for path in files_under(folder, temporary):
        assert not private & searched.found_in(read(path)), path
    contents = asyncio.run(decrypted(folder))
    found: dict[str, set[str]] = defaultdict(set)  # class of the key: tones
    for key, (key_class, content) in contents.items():
        tones = searched.found_in(content)
        assert not private & tones, key
        found[key_class] |= tones
    assert found["parties"] == {"session"}, "and nothing of the closed part"
    assert found["sealed"] == {"closed"}
    assert [path for path in (folder / "data" / "spool").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("where", ["data/spool/x.webm.part", "data/objects/x", "data/court.db", "tmp/x"])
def test_the_search_finds_a_tone_wherever_it_lies(tmp_path: Path, where: str) -> None:
    for phase, hz in TONES.items():
        tone_file(tmp_path / f"{phase}.wav", hz)
    searched = Searched.of(tmp_path)
    packet, decodable = searched.packets["recess"][20], (tmp_path / "recess.wav").read_bytes()
    assert searched.found_in(os.urandom(5_000)) == set()
    for planted in (os.urandom(999) + packet + os.urandom(999), decodable):
        path = tmp_path / "planted" / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(planted)
        assert [searched.found_in(read(found)) for found in files_under(tmp_path / "planted")] == [{"recess"}]
