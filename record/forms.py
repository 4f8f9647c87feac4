"""The transcript draft's forms for each access class, and the annexes that keep sealed parts out of the parties' manifest.

The parties' forms stand at the top of a sitting's folder and hold what they may have. Where something is stricter, those who
may have more find whole forms under `panel/` or `sealed/`, and an annex with what was shown there.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from hearing.access import ORDER, AccessClass, may_have, strictest
from record.access import Classes
from record.course import Course, screens, showings
from record.lines import Line, line_of_utterance, lines_of, transcript_json, transcript_txt, transcript_vtt
from record.model import Material
from record.verify import canonical

ANNEX_SCHEMA = "remote-court/annex/1"
TRANSCRIPT = "transcript.json"
PARTIES = AccessClass.PARTIES


@dataclass(frozen=True, slots=True)
class Form:
    """One file that is made of the record. `lines` counts those of a transcript.json."""

    path: str
    data: bytes
    access: AccessClass
    lines: int = 0

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def sealed_forms(material: Material, course: Course) -> list[Form]:
    """Every form that the manifest lists, the parties' first."""
    classes, lines = Classes(course, material.orders), _lines(material, course)
    shown = [classes.of_showing(page) for page in showings(course)]
    shared = [classes.of_stretch(screen.t0_ms, screen.t1_ms) for screen in screens(course)]
    present = {*map(classes.of_line, lines), *shown, *shared}
    forms = forms_for(material, course, PARTIES)
    for access in ORDER[ORDER.index(PARTIES) + 1 :]:
        if access in present:
            forms += forms_for(material, course, access, f"{access}/")
            forms.append(Form(f"{access}/annex.json", _annex(material, course, classes, access), access))
    return forms


def forms_for(material: Material, course: Course, holder: AccessClass, folder: str = "") -> list[Form]:
    """The draft as who is cleared for `holder` may have it, under today's orders."""
    classes, hearing, sitting = Classes(course, material.orders), material.hearing, material.sitting
    lines = [line for line in _lines(material, course) if may_have(holder, classes.of_line(line))]
    ids = {line.id for line in lines}
    said = [utterance for utterance in material.utterances if utterance.id in ids]
    return [
        Form(f"{folder}{TRANSCRIPT}", transcript_json(sitting.id, lines, said), holder, len(lines)),
        Form(f"{folder}transcript.vtt", transcript_vtt(lines, hearing), holder),
        Form(f"{folder}transcript.txt", transcript_txt(lines, hearing, course, sitting.ordinal), holder),
    ]


def class_today(material: Material, sealed_as: AccessClass) -> AccessClass:
    """The class of a form that was sealed as `sealed_as`: an order after the seal may touch any of its lines."""
    sealed_at = material.sitting.sealed_at
    later = [order.access for order in material.orders if sealed_at is not None and order.at >= sealed_at]
    return strictest([sealed_as, *later])


def _lines(material: Material, course: Course) -> list[Line]:
    spoken = [line_of_utterance(utterance, material.hearing) for utterance in material.utterances]
    return lines_of(course, material.sitting.id, material.hearing, material.exhibit_marks(), spoken)


def _annex(material: Material, course: Course, classes: Classes, access: AccessClass) -> bytes:
    """What was on everybody's screen where the parties' manifest is silent, as far as `access` goes."""
    hashes = {exhibit.id: exhibit.sha256 for exhibit in material.exhibits}

    def here(one: AccessClass) -> bool:
        return may_have(access, one) and not may_have(PARTIES, one)

    pages = [asdict(page) | {"sha256": hashes[page.exhibit_id]} for page in showings(course) if here(classes.of_showing(page))]
    shared = [asdict(one) for one in screens(course) if here(classes.of_stretch(one.t0_ms, one.t1_ms))]
    document = {"schema": ANNEX_SCHEMA, "sitting_id": material.sitting.id, "showings": pages, "screens": shared}
    return canonical(document)
