"""Versions of the transcript after the live draft (终稿识别): their lines as somebody may read them, and their package items.

The sealed manifest holds the live draft as it was at 闭庭 and stays as it is. A finished version is listed, with hash, by the
signed package.json: the lines of that pass, and in their places the lines that a person corrected.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.access import ORDER, AccessClass, may_have
from hearing.model import Hearing, ParticipantId, SittingId
from hearing.timeline import iso_utc
from record.access import Classes
from record.course import course_of
from record.model import Material
from record.package_items import Item, folder_of, made
from record.verify import canonical
from transcripts import store, versions
from transcripts.composing import compose
from transcripts.documents import MARK, Speaker, to_json, to_txt, to_vtt
from transcripts.editing import apply
from transcripts.model import Line
from transcripts.versions import Version

VERSION_SCHEMA = "remote-court/transcript-version/1"
PARTIES = AccessClass.PARTIES


class Spoken(Protocol):
    """Where something was said: an utterance, or bleed of one."""

    @property
    def id(self) -> str: ...
    @property
    def track_id(self) -> str: ...
    @property
    def t0_ms(self) -> int: ...
    @property
    def t1_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Timed:
    """Speech as record.access looks at it: by the track it was recorded on, whoever is said to have spoken."""

    id: str
    participant_id: str
    track_id: str
    t0_ms: int
    t1_ms: int
    kind: str = "speech"


async def version_lines(connection: AsyncConnection, sitting_id: str, number: int) -> tuple[Line, ...] | None:
    """The lines of a version as they read now, 0: of the live draft; None where there is no such finished version."""
    said = await store.every_line(connection, SittingId(sitting_id))
    corrections = await store.revisions_of(connection, SittingId(sitting_id))
    if number == 0:
        return apply([one for one in said if one.version == 0], corrections)
    version = await versions.version_of(connection, sitting_id, number)
    if version is None or version.state != versions.DONE:
        return None
    own = await versions.lines_of_version(connection, version)
    return compose([one for one in said if one.version < number], corrections, own)


def class_of_speech(classes: Classes, spoken: Spoken) -> AccessClass:
    """The class of something said, by the part in which it was said and the orders that touch it."""
    who = spoken.track_id.rpartition("-")[0]
    return classes.of_line(_Timed(spoken.id, who, spoken.track_id, spoken.t0_ms, spoken.t1_ms))


def readable(lines: Iterable[Line], classes: Classes, holder: AccessClass) -> list[Line]:
    """The lines that who is cleared for `holder` may read."""
    return [line for line in lines if may_have(holder, class_of_speech(classes, line.utterance))]


async def version_items(connection: AsyncConnection, material: Material) -> Sequence[Item]:
    """Every finished version: `sitting-N/transcript/version-1.{json,vtt,txt}`, and under `panel/`, `sealed/` whole ones for
    those who may have more, where there is more.
    """
    course = course_of(material.entries, material.sitting.closed_at or material.entries[-1].at)
    if course is None:
        return ()
    classes, items = Classes(course, material.orders), list[Item]()
    for version in await versions.versions_of(connection, material.sitting.id):
        lines = await version_lines(connection, material.sitting.id, version.number)
        if lines is None:
            continue
        present = {class_of_speech(classes, line.utterance) for line in lines}
        for access in ORDER[ORDER.index(PARTIES) :]:
            if access is PARTIES or access in present:
                items += _forms(material, version, readable(lines, classes, access), classes, access)
    return items


def _forms(material: Material, version: Version, lines: list[Line], classes: Classes, access: AccessClass) -> list[Item]:
    folder = f"{folder_of(material)}/transcript" + ("" if access is PARTIES else f"/{access}")
    path, names = f"{folder}/version-{version.number}", speakers_of(material.hearing)
    bleed = [asdict(one) for one in version.bleed if may_have(access, class_of_speech(classes, one))]
    document = canonical({**_head(version), "bleed": bleed, "lines": json.loads(to_json(lines, names))["lines"]})
    return [
        made(f"{path}.json", document, access),
        made(f"{path}.vtt", to_vtt(lines, names).encode(), access),
        made(f"{path}.txt", to_txt(lines, names).encode(), access),
    ]


def _head(version: Version) -> dict[str, Any]:
    return {
        "schema": VERSION_SCHEMA, "sitting_id": version.sitting_id, "version": version.number, "kind": "final_pass",
        "notice": MARK, "engine": asdict(version.engine) if version.engine else None, "requested_by": version.requested_by,
        "requested_at": iso_utc(version.created_at),
        "finished_at": iso_utc(version.finished_at) if version.finished_at else None, "problem": version.problem,
    }  # fmt: skip


def speakers_of(hearing: Hearing) -> dict[ParticipantId, Speaker]:
    """How each person is named in a draft."""
    return {person.id: Speaker(person.label, person.name) for person in hearing.participants}
