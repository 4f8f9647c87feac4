"""The files of a package with their access classes, and the port by which other parts of the record add files of theirs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.access import AccessClass, may_have, strictest
from hearing.ledger import package_line
from record.access import Classes
from record.check import stored_keys
from record.course import Course, course_of
from record.forms import class_today, forms_for
from record.manifest import exhibit_path, segment_path
from record.model import Material
from record.verify import canonical
from storage.objects import ObjectStore, manifest_key, signature_key


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a package: from the store (`key`) or made for it (`data`). `path` is that inside the package."""

    path: str
    sha256: str
    size_bytes: int
    key: str | None = None
    data: bytes = b""
    access: str = "parties"  # an AccessClass: who is below it finds the file declared as withheld, not its bytes


ExtraItems = Callable[[AsyncConnection, Material], Awaitable[Sequence[Item]]]
"""What was made after a sitting was sealed and belongs into its package, read in the transaction of the package.

Paths: `sitting-<ordinal>/statements/…` or `sitting-<ordinal>/film.mp4` (verify.LATER; use folder_of()): the sitting's own
manifest cannot list them, the signed package.json does. Registered in record/extras.py.
"""


def made(path: str, data: bytes, access: str = "parties") -> Item:
    """A file whose bytes are at hand."""
    return Item(path, hashlib.sha256(data).hexdigest(), len(data), data=data, access=access)


def folder_of(material: Material) -> str:
    """The sitting's folder in a package."""
    return f"sitting-{material.sitting.ordinal}"


async def sitting_items(objects: ObjectStore, material: Material, holder: AccessClass) -> list[Item]:
    """The files of one sealed sitting: manifest and signature as sealed, the ledger up to its head, everything listed.

    Of the ledger, who is cleared for `holder` gets hash-only lines in place of what is stricter. Where an order after the
    seal took the draft from them, they get what of it is left (`left/`).
    """
    court_id, sitting_id, folder = material.sitting.court_id, material.sitting.id, folder_of(material)
    data = await objects.get(manifest_key(court_id, sitting_id))
    manifest: dict[str, Any] = json.loads(data)
    course = course_of(material.entries, material.sitting.closed_at or material.entries[-1].at)
    if course is None:
        raise ValueError(f"sealed without an opening: {sitting_id}")
    stored = _stored(material, manifest, Classes(course, material.orders))
    draft_kept = all(
        may_have(holder, AccessClass(item.access)) for item in stored if item.path.startswith(f"{folder}/transcript.")
    )
    left = [] if draft_kept else [made(f"{folder}/left/{form.path}", form.data) for form in forms_for(material, course, holder)]
    return [
        made(f"{folder}/manifest.json", data),
        made(f"{folder}/manifest.sig.json", await objects.get(signature_key(court_id, sitting_id))),
        made(f"{folder}/ledger.jsonl", _ledger(material, course, manifest["ledger"]["entries"], holder)),
        *stored,
        *left,
    ]


def exhibit_items(material: Material, present: set[str]) -> list[Item]:
    """All exhibits of the hearing, once."""
    return [
        Item(exhibit_path(e), e.sha256, e.bytes, key=e.object_key) for e in material.exhibits if exhibit_path(e) not in present
    ]  # fmt: skip


def _stored(material: Material, manifest: dict[str, Any], classes: Classes) -> list[Item]:
    """What the manifest lists, in the class it has today: an order after the seal only makes it stricter."""
    folder = folder_of(material)
    listed = {f"{folder}/{entry['path']}": entry for entry in manifest["files"]}
    today = {f"{folder}/{segment_path(segment)}": classes.of_segment(segment) for segment in material.segments}
    items = []
    for path, key, sha256 in stored_keys(material, manifest):
        if (entry := listed.get(path)) is None:
            continue
        sealed_as = AccessClass(entry["access"])
        access = strictest([sealed_as, today[path]]) if path in today else class_today(material, sealed_as)
        items.append(Item(path, sha256, entry["bytes"], key=key, access=access))
    return items


def _ledger(material: Material, course: Course, entries: int, holder: AccessClass) -> bytes:
    """The first `entries` of the ledger, one canonical JSON object per line."""
    classes = Classes(course, material.orders)
    return b"".join(
        canonical(package_line(sealed, withheld=not may_have(holder, classes.of_entry(entry, entry.t_ms)))) + b"\n"
        for sealed, entry in zip(material.ledger[:entries], material.entries, strict=False)
    )
