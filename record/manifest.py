"""The manifest of a sitting: canonical JSON that fixes every file, interval, gap and head of the record (AV-3, AV-4, AV-9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from evidence.integrity import ACCEPTED
from evidence.model import Exhibit
from hearing.access import AccessClass, may_have
from hearing.model import PANEL, Role
from hearing.timeline import iso_utc
from record.access import Classes
from record.course import Course, intervals, screens, showings, stages
from record.forms import TRANSCRIPT, Form
from record.gaps import gaps_of, owed_tracks
from record.model import Material, Segment
from record.verify import BENIGN, MANIFEST_SCHEMA, canonical, first_chain_hash, merkle_root

Json = dict[str, object]
Stamps = tuple[Sequence[Json], Sequence[Json]]
"""Time stamps of the ledger so far, and those that could not be had (stamping.Stamper.at_sealing)."""
NO_STAMPS: Stamps = ((), ())


def segment_path(segment: Segment) -> str:
    """Path of a segment inside the sitting's folder."""
    return f"media/{segment.track_id}/{segment.index:06d}.webm"


def exhibit_path(exhibit: Exhibit) -> str:
    """Path of an exhibit inside the package: exhibits/原告证据1_exh_….pdf."""
    return f"exhibits/{exhibit.number}_{exhibit.id}{ACCEPTED[exhibit.media_type]}"


def build(
    material: Material,
    course: Course,
    forms: Sequence[Form],
    timezone: str,
    stamps: Stamps = NO_STAMPS,
) -> Json:
    """The manifest of a closed sitting, as every party may read it: what is stricter stands in forms of its own class."""
    tracks, classes = material.tracks(), Classes(course, material.orders)
    gaps = [
        gap
        for track_id in sorted({*tracks, *owed_tracks(course, material.hearing)})
        for gap in gaps_of(course, material.hearing, material.cover(track_id, tracks.get(track_id, [])))
    ]
    files = [_file(segment_path(s), s.bytes, s.sha256, classes.of_segment(s)) for s in material.segments]
    files += [_file(form.path, len(form.data), form.sha256, form.access) for form in forms]
    exhibits = [_exhibit(exhibit) for exhibit in material.exhibits]
    return {
        "schema": MANIFEST_SCHEMA,
        "court": {"id": material.sitting.court_id, "name": material.sitting.court_name},
        "hearing": _hearing(material),
        "sitting": _sitting(material, course),
        "people": [asdict(person) for person in material.hearing.participants],
        **_responsible(material),
        "clock": {"zero_at": iso_utc(course.opened_at), "unit": "ms", "timezone": timezone, "source": "server"},
        "intervals": [asdict(interval) for interval in intervals(course)],
        "stages": [asdict(stage) for stage in stages(course)],
        "tracks": [_track(material, track_id, segments) for track_id, segments in tracks.items()],
        "gaps": [asdict(gap) for gap in gaps],
        "exhibits": exhibits,
        **_shown(material, course, classes),
        "transcripts": _transcripts(material, forms),
        "ledger": _ledger(material),
        "stamps": list(stamps[0]), "stamps_missing": list(stamps[1]),
        "files": sorted(files, key=lambda file: str(file["path"])),
        "merkle_root": merkle_root((str(f["path"]), str(f["sha256"])) for f in (*files, *exhibits)),
        "totals": _totals(course, tracks, [(gap.t1_ms - gap.t0_ms) for gap in gaps if gap.cause not in BENIGN]),
    }  # fmt: skip


def _file(path: str, size_bytes: int, sha256: str, access: AccessClass) -> Json:
    return {"path": path, "bytes": size_bytes, "sha256": sha256, "access": access}


def _transcripts(material: Material, forms: Sequence[Form]) -> list[Json]:
    """The drafts, the parties' first; engines are named once for all."""
    said_by = (utterance.engine for utterance in material.utterances)
    engines = list(dict.fromkeys(f"{engine.name} {engine.model} {engine.model_sha256}" for engine in said_by))
    return [
        {
            "version": 1, "kind": "machine_draft", "path": form.path, "sha256": form.sha256, "lines": form.lines,
            "access": form.access, "engines": engines,
        }
        for form in forms if form.path.endswith(TRANSCRIPT)
    ]  # fmt: skip


def manifest_bytes(manifest: Json) -> bytes:
    """The exact bytes that are stored, hashed and signed."""
    return canonical(manifest)


def _hearing(material: Material) -> Json:
    hearing = material.hearing
    return {
        "id": hearing.id, "case_number": hearing.case_number, "cause": hearing.cause, "title": hearing.title,
        "procedure": hearing.procedure, "public": hearing.public, "courtroom": hearing.courtroom,
    }  # fmt: skip


def _sitting(material: Material, course: Course) -> Json:
    return {
        "id": material.sitting.id, "ordinal": material.sitting.ordinal, "opened_at": iso_utc(course.opened_at),
        "closed_at": iso_utc(course.closed_at) if course.closed_at else None, "duration_ms": course.end_ms,
    }  # fmt: skip


def _responsible(material: Material) -> Json:
    """Panel and clerk by id; the clerk is in charge of the recording (AV-3: 负责录音录像的人员)."""
    people = material.hearing.participants
    clerk = next((p.id for p in people if p.role is Role.CLERK), None)
    return {
        "presiding_judge": next((p.id for p in people if p.role is Role.PRESIDING_JUDGE), None),
        "panel": [p.id for p in people if p.role in PANEL],
        "clerk": clerk,
        "recording_responsible": clerk,
    }


def _track(material: Material, track_id: str, segments: list[Segment]) -> Json:
    cover, end = material.cover(track_id, segments), material.track_ends.get(track_id)
    own = {"track_id", "participant_id", "kind", "codec", "object_key"}  # stand once on the track, or are the store's affair
    return {
        "track_id": track_id,
        "participant_id": cover.participant_id,
        "kind": cover.kind,
        "codec": segments[0].codec if segments else "",
        "segments": [
            {name: value for name, value in (asdict(s) | {"started_at": iso_utc(s.started_at)}).items() if name not in own}
            for s in segments
        ],
        "end": {"segments": end[0], "last_sha256": end[1]} if end else None,
    }


def _exhibit(exhibit: Exhibit) -> Json:
    names = ("id", "side", "number", "title", "purpose", "file_name", "media_type", "bytes", "pages", "sha256", "sm3")
    fields: Json = {name: getattr(exhibit, name) for name in names}
    return fields | {
        "path": exhibit_path(exhibit), "submitted_by": exhibit.submitted_by, "submitted_at": iso_utc(exhibit.submitted_at),
    }  # fmt: skip


def _shown(material: Material, course: Course, classes: Classes) -> Json:
    """Pages and screens on everybody's screen, as far as the parties may know; the rest stands in the annexes."""
    hashes = {exhibit.id: exhibit.sha256 for exhibit in material.exhibits}
    pages = [page for page in showings(course) if may_have(AccessClass.PARTIES, classes.of_showing(page))]
    shared = [one for one in screens(course) if may_have(AccessClass.PARTIES, classes.of_stretch(one.t0_ms, one.t1_ms))]
    return {
        "showings": [asdict(page) | {"sha256": hashes[page.exhibit_id]} for page in pages],
        "screens": [asdict(one) for one in shared],
    }


def _ledger(material: Material) -> Json:
    first = first_chain_hash(material.sitting.id)
    return {
        "entries": len(material.ledger), "first_chain_hash": first,
        "chain_hash": material.ledger[-1].chain_hash if material.ledger else first,
    }  # fmt: skip


def _totals(course: Course, tracks: Mapping[str, list[Segment]], gap_spans: list[int]) -> Json:
    """Sums for people; `loss_ratio` is lost packets of all packets, rounded to six places."""
    segments = [segment for track in tracks.values() for segment in track]
    lost, sent = sum(s.lost_packets for s in segments), sum(s.packets + s.lost_packets for s in segments)
    interrupted: dict[str, int] = {}
    for interval in intervals(course):
        if interval.recorded == "none":
            interrupted[interval.cause] = interrupted.get(interval.cause, 0) + interval.t1_ms - interval.t0_ms
    return {
        "recorded_ms": sum(t1 - t0 for t0, t1 in course.recorded()),
        "interrupted_ms": interrupted,
        "tracks": len(tracks),
        "segments": len(segments),
        "media_bytes": sum(s.bytes for s in segments),
        "filled_ms": sum(s.filled_ms for s in segments),
        "muted_ms": sum(s.muted_ms for s in segments),
        "gap_ms": sum(gap_spans),
        "loss_ratio": round(lost / sent, 6) if sent else 0.0,
    }
