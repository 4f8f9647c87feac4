"""Check a sealed sitting where it is stored: signature, chain, intervals and files against the manifest (A10)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hearing.ledger import package_line
from record.model import Material
from record.verify import (
    Findings,
    canonical,
    check_code,
    check_intervals,
    check_ledger,
    check_track,
    fingerprint_of,
    material_gaps,
    signature_holds,
)
from storage.data_keys import KeyDestroyed
from storage.objects import ObjectStore, StorageError, StoreUnavailable, manifest_key, segment_key, signature_key


@dataclass(frozen=True, slots=True)
class Checked:
    """Outcome for one sealed sitting. `destroyed`: objects whose key was destroyed by ruling, a declared gap."""

    manifest: dict[str, Any]
    manifest_sha256: str
    fingerprint: str
    problems: tuple[str, ...]
    gaps: tuple[str, ...]
    destroyed: tuple[str, ...] = ()

    @property
    def check_code(self) -> str:
        return check_code(self.manifest_sha256)


def sealed_file_key(court_id: str, sitting_id: str, sha256: str) -> str:
    """Key of a file that was made at sealing (a form of the transcript), named by its content."""
    return f"courts/{court_id}/sittings/{sitting_id}/sealed/{sha256}"


def stored_keys(material: Material, manifest: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(path in the package, key in the store, sha256) of everything that the manifest lists."""
    court_id, sitting_id = material.sitting.court_id, material.sitting.id
    folder = f"sitting-{material.sitting.ordinal}"
    segments = set()
    for track in manifest["tracks"]:
        for segment in track["segments"]:
            path = f"media/{track['track_id']}/{segment['index']:06d}.webm"
            segments.add(path)
            yield f"{folder}/{path}", segment_key(court_id, sitting_id, track["track_id"], segment["index"]), segment["sha256"]
    for entry in manifest["files"]:
        if entry["path"] not in segments:
            yield f"{folder}/{entry['path']}", sealed_file_key(court_id, sitting_id, entry["sha256"]), entry["sha256"]
    keys = {exhibit.id: exhibit.object_key for exhibit in material.exhibits}
    for exhibit in manifest["exhibits"]:
        yield exhibit["path"], keys.get(exhibit["id"], "missing"), exhibit["sha256"]


def ledger_lines(material: Material, entries: int) -> bytes:
    """The ledger as the package holds it: one canonical JSON object per line, the first `entries` of them."""
    return b"".join(canonical(package_line(sealed)) + b"\n" for sealed in material.ledger[:entries])


async def check_sitting(material: Material, store: ObjectStore, *, contents: Mapping[str, str] | None = None) -> Checked:
    """Check a sealed sitting; raises StorageError when the store cannot be read at all.

    `contents`: object key → SHA-256 of everything that was just read whole (record.heal); without, files are looked for only.
    """
    findings = Findings()
    court_id, sitting_id = material.sitting.court_id, material.sitting.id
    data = await _get(store, manifest_key(court_id, sitting_id), findings)
    signature = await _get(store, signature_key(court_id, sitting_id), findings)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != material.sitting.sealed_manifest_sha256:
        findings.add("changed", "manifest.json", "封存清单与封存时的散列不符 / differs from what was sealed")
    fingerprint = _signer(data, signature, findings)
    manifest: dict[str, Any] = {}
    destroyed: list[str] = []
    try:
        manifest = json.loads(data)
        _check_contents(material, manifest, findings)
        destroyed = await _check_objects(material, manifest, store, findings, contents)
    except (ValueError, KeyError, TypeError) as error:
        findings.add("malformed", "manifest.json", f"清单无法读取 / cannot be read ({error!r})")
    gaps = tuple(material_gaps(manifest)) if not findings.problems else ()
    return Checked(manifest, sha256, fingerprint, tuple(findings.problems), gaps, tuple(destroyed))


async def _get(store: ObjectStore, key: str, findings: Findings) -> bytes:
    try:
        return await store.get(key)
    except StoreUnavailable:
        raise
    except StorageError as error:
        findings.add("missing", key.rsplit("/", maxsplit=1)[-1], f"缺失或无法读取 / missing or unreadable ({error.code})")
        return b""


def _signer(data: bytes, signature: bytes, findings: Findings) -> str:
    """Fingerprint of who signed the manifest, after checking the signature."""
    try:
        document = json.loads(signature)
        public_key = bytes.fromhex(document["public_key"])
        genuine = signature_holds(public_key, data, bytes.fromhex(document["signature"]))
    except (ValueError, KeyError, TypeError):
        public_key, genuine = b"", False
    if not genuine:
        findings.add("signature", "manifest.json", "签名不成立 / signature does not match")
    return fingerprint_of(public_key)


def _check_contents(material: Material, manifest: dict[str, Any], findings: Findings) -> None:
    """The rows of today against the manifest."""
    check_intervals(findings, "manifest.json", manifest)
    for track in manifest["tracks"]:
        check_track(findings, f"track {track['track_id']}", track, manifest)
    check_ledger(findings, "ledger", ledger_lines(material, manifest["ledger"]["entries"]), manifest)


async def _check_objects(
    material: Material, manifest: dict[str, Any], store: ObjectStore, findings: Findings, contents: Mapping[str, str] | None
) -> list[str]:
    """Every file of the manifest; returns those that nobody can read any more by ruling."""
    base = f"courts/{material.sitting.court_id}/sittings/{material.sitting.id}/"
    present = {key async for key in store.list(base)} if contents is None else set(contents)
    destroyed = []
    for path, key, sha256 in stored_keys(material, manifest):
        if key in present and contents is not None and contents[key] != sha256:
            findings.add("changed", path, f"内容被改动 / changed: 应为 {sha256}，实为 {contents[key]}")
        elif key in present or (contents is None and path.startswith("exhibits/")):
            continue
        elif await _is_destroyed(store, key):
            destroyed.append(path)
        else:
            findings.add("missing", path, "缺失或无法读取 / missing or unreadable in the store")
    return destroyed


async def _is_destroyed(store: ObjectStore, key: str) -> bool:
    try:
        await store.get(key, start=0, end=1)
    except KeyDestroyed:
        return True
    except StorageError:
        pass
    return False
