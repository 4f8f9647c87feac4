"""Verify a record package (庭审记录包): one file, Python standard library only, nothing is written.

Inside a package:  python3 verify.py .            (or verify.py PACKAGE.zip)
With the court's published key fingerprint:  python3 verify.py . --key FINGERPRINT

Exit 0: everything is there and unchanged. 1: something is missing, added, changed, reordered, cut off or signed by another
key; each is named. 2: the arguments or the path cannot be used. The format is described in docs/record-format.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import stat
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE_SCHEMA = "remote-court/package/1"
MANIFEST_SCHEMA = "remote-court/manifest/1"
SIGNATURE_SCHEMA = "remote-court/signature/1"
COVER_MS = 250  # a hole in a track shorter than this is not a gap: packets and frames do not end on the millisecond
OUTSIDE_MS = 500  # a segment may reach this far over the edge of an interval that is recorded
LATER = ("statements/", "film.mp4")  # in a sitting's folder: made after the seal, so package.json alone lists them
BENIGN = frozenset({"absent", "outside", "camera_off", "muted", "not_shared", "joining", "leaving"})  # nothing to be recorded
BLOCK = 1 << 20
DOCUMENT_MAX_BYTES = 1 << 28  # a manifest or ledger of a day stays far below; a forged one must not fill the memory
READ_ERRORS = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError)

Digest = tuple[int, str, str]  # bytes, sha256, sm3 (empty where this Python has no SM3)


# --- rules of the format, also used by the writer ----------------------------------------------------------------------


def canonical(value: object) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8, no escapes of non-ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def merkle_root(leaves: Iterable[tuple[str, str]]) -> str:
    """Merkle tree hash (RFC 9162 section 2.1.1) over (path, sha256 hex), sorted by path; a leaf is path, line feed, sha256."""

    def node(hashes: Sequence[bytes]) -> bytes:
        if len(hashes) == 1:
            return hashes[0]
        split = 1 << ((len(hashes) - 1).bit_length() - 1)
        return hashlib.sha256(b"\x01" + node(hashes[:split]) + node(hashes[split:])).digest()

    hashed = [hashlib.sha256(b"\x00" + f"{path}\n{digest}".encode()).digest() for path, digest in sorted(leaves)]
    return (node(hashed) if hashed else hashlib.sha256(b"").digest()).hex()


def check_code(sha256_hex: str) -> str:
    """First 60 bits of a hash in Crockford base 32, XXXX-XXXX-XXXX: to be read aloud and compared, no proof by itself."""
    bits = int(sha256_hex[:15], 16)
    text = "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[(bits >> shift) & 31] for shift in range(55, -5, -5))
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"


def fingerprint_of(public_key: bytes) -> str:
    """Fingerprint of a court key: SHA-256 of the 32 raw bytes of the Ed25519 public key."""
    return hashlib.sha256(public_key).hexdigest()


def first_chain_hash(sitting_id: str) -> str:
    """What the first ledger entry of a sitting is chained to."""
    return hashlib.sha256(f"remote-court-ledger:{sitting_id}".encode()).hexdigest()


def subtract(span: tuple[int, int], covers: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of `span` that no cover reaches, in order."""
    left, end = span
    holes = []
    for t0, t1 in sorted(covers):
        if t0 > left and left < end:
            holes.append((left, min(t0, end)))
        left = max(left, t1)
    return [*holes, (left, end)] if left < end else holes


# --- Ed25519 verification (RFC 8032 section 5.1.7), extended coordinates ------------------------------------------------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)
Point = tuple[int, int, int, int]


def _add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _multiply(scalar: int, point: Point) -> Point:
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _decode(data: bytes) -> Point | None:
    """Decompress a point (RFC 8032 5.1.3); None when the encoding is not canonical or not on the curve."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    x2 = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * _SQRT_M1 % _P
    if (x * x - x2) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return (x, y, 1, x * y % _P)


_BASE = _decode((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def ed25519_verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """True when `signature` is the Ed25519 signature of `message` by `public_key`."""
    if len(public_key) != 32 or len(signature) != 64 or _BASE is None:
        return False
    a, r, s = _decode(public_key), _decode(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % _L
    left, right = _multiply(s, _BASE), _add(r, _multiply(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and (left[1] * right[2] - right[1] * left[2]) % _P == 0


# --- what is read: a folder or a zip ------------------------------------------------------------------------------------


class Unusable(Exception):
    """The path or an argument cannot be used at all (exit 2)."""


class Findings:
    """Problems in the order found; each names its file, line or entry."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.gaps: list[str] = []

    def add(self, code: str, where: str, text: str) -> None:
        self.problems.append(f"[{code}] {where}：{text}")


class Folder:
    """A package as a folder. Links are refused, never followed."""

    def __init__(self, root: Path, findings: Findings) -> None:
        self.root = root
        self.names: list[str] = []
        for folder, folders, files in os.walk(root):
            for name in sorted(folders + files):
                path = Path(folder, name)
                mode = path.lstat().st_mode
                if not stat.S_ISDIR(mode):
                    relative = path.relative_to(root).as_posix()
                    self.names.append(relative)
                    if not stat.S_ISREG(mode):
                        findings.add("unsafe", relative, "不是普通文件（链接或设备）/ not a regular file")
        self.names.sort()

    def chunks(self, name: str) -> Iterator[bytes]:
        path = self.root / name
        if not stat.S_ISREG(path.lstat().st_mode):
            return
        with path.open("rb") as file:
            yield from iter(lambda: file.read(BLOCK), b"")


class Zip:
    """A package as a zip, read in place; names that reach outside, links, encryption and doubles are problems."""

    def __init__(self, path: Path, findings: Findings) -> None:
        self.archive = zipfile.ZipFile(path)
        seen: set[str] = set()
        for info in self.archive.infolist():
            name, raw, parts = info.filename, info.orig_filename, info.filename.split("/")
            if name.startswith("/") or ".." in parts or ":" in parts[0] or "\\" in raw or "\x00" in raw:
                findings.add("unsafe", name, "压缩包内路径越界 / path reaches outside the package")
            elif name in seen:
                findings.add("duplicate", name, "压缩包内有同名文件 / name occurs twice in the zip")
            elif stat.S_ISLNK(info.external_attr >> 16) or info.flag_bits & 1:
                findings.add("unsafe", name, "链接或加密的条目 / link or encrypted entry")
            elif not info.is_dir():
                seen.add(name)
        self.names = sorted(seen)

    def chunks(self, name: str) -> Iterator[bytes]:
        with self.archive.open(name) as file:
            yield from iter(lambda: file.read(BLOCK), b"")


# --- the checks ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """Outcome. `verdict`: complete | complete_with_gaps (declared, technical) | damaged."""

    complete: bool
    verdict: str
    problems: tuple[str, ...]
    signer_compared: bool
    summary: str


class Package:
    """One package under verification: the digests of its files and the findings so far."""

    def __init__(self, source: Folder | Zip, findings: Findings, key: str | None) -> None:
        self.source, self.findings, self.key = source, findings, key
        self.signers: dict[str, str] = {}
        self.lines: list[str] = []
        self.digests: dict[str, Digest] = {name: self._digest(name) for name in source.names}

    def _digest(self, name: str) -> Digest:
        sha256, size = hashlib.sha256(), 0
        sm3 = hashlib.new("sm3") if "sm3" in hashlib.algorithms_available else None
        try:
            for chunk in self.source.chunks(name):
                size += len(chunk)
                sha256.update(chunk)
                if sm3 is not None:
                    sm3.update(chunk)
        except READ_ERRORS as error:
            self.findings.add("unreadable", name, f"无法读取 / cannot be read ({error})")
        return size, sha256.hexdigest(), sm3.hexdigest() if sm3 else ""

    def read(self, name: str) -> bytes:
        """Bytes of a small file; empty (already reported) when it is missing or unreadable."""
        size = self.digests.get(name, (0, "", ""))[0]
        if size > DOCUMENT_MAX_BYTES:
            self.findings.add("malformed", name, f"文件过大 / too large for a document: {size} bytes")
        try:
            return b"".join(self.source.chunks(name)) if 0 < size <= DOCUMENT_MAX_BYTES else b""
        except READ_ERRORS:
            return b""

    def document(self, name: str, schema: str) -> dict[str, Any] | None:
        """A canonical JSON object of a given schema; None after reporting why not."""
        data = self.read(name)
        if name not in self.digests:
            self.findings.add("missing", name, "缺失 / missing")
            return None
        try:
            value = json.loads(data)
            if isinstance(value, dict) and value.get("schema") == schema and canonical(value) == data:
                return value
        except (ValueError, RecursionError):
            pass  # reported below like any other text that is not the format
        self.findings.add("malformed", name, f"不是规定格式 / not canonical JSON of {schema}")
        return None

    def check_file(self, name: str, entry: dict[str, Any]) -> None:
        """One listed file: is it there, and unchanged in length, SHA-256 and (where given) SM3?"""
        found = self.digests.get(name)
        if found is None:
            self.findings.add("missing", name, "缺失 / missing")
        elif found[:2] != (entry["bytes"], entry["sha256"]):
            expected = f"应为 {entry['bytes']} 字节 sha256 {entry['sha256']}"
            self.findings.add("changed", name, f"内容被改动 / changed: {expected}，实为 {found[0]} 字节 sha256 {found[1]}")
        elif found[2] and entry.get("sm3", found[2]) != found[2]:
            self.findings.add("changed", name, f"SM3 不符 / SM3 differs: 应为 {entry['sm3']}，实为 {found[2]}")

    def check_signature(self, signed: str, signature_name: str) -> None:
        """The signature document of a file, every field of it, and the signer against the given key."""
        document = self.document(signature_name, SIGNATURE_SCHEMA)
        if document is None or signed not in self.digests:
            return
        try:
            public_key, signature = bytes.fromhex(document["public_key"]), bytes.fromhex(document["signature"])
            fingerprint = fingerprint_of(public_key)
            expected = signature_document(signed.rsplit("/", maxsplit=1)[-1], self.digests[signed][1], public_key, signature)
        except (KeyError, TypeError, ValueError) as error:
            self.findings.add("signature", signature_name, f"签名文件格式错误 / malformed signature ({error})")
            return
        if document != expected or not ed25519_verify(public_key, self.read(signed), signature):
            text = f"签名不成立：内容或签名被改动 / signature does not match (signer {fingerprint})"
            self.findings.add("signature", signed, text)
        if self.key is not None and fingerprint != self.key:
            text = f"由另一把密钥签名 / signed by another key: 应为 {self.key}，实为 {fingerprint}"
            self.findings.add("signer", signature_name, text)
        self.signers[signature_name] = fingerprint

    def check(self) -> None:
        """The whole package, outermost first."""
        package = self.document("package.json", PACKAGE_SCHEMA)
        self.check_signature("package.json", "package.sig.json")
        if package is None:
            return
        listed = {entry["path"]: entry for entry in package["files"]}
        if len(listed) != len(package["files"]):
            self.findings.add("duplicate", "package.json", "文件清单有重复 / the list of files names a file twice")
        for name, entry in sorted(listed.items()):
            self.check_file(name, entry)
        for name in sorted(set(self.digests) - set(listed) - {"package.json", "package.sig.json"}):
            self.findings.add("added", name, "清单之外的文件 / not in the list: added")
        hearing = package["hearing"]
        self.lines.append(f"案号 {hearing['case_number']}　{hearing['title']}　{package['court']['name']}")
        for number, sitting in enumerate(package["sittings"], start=1):
            self.check_sitting(sitting, number, hearing["id"])
        self.lines += [f"未封存的庭次 / not sealed: 第{s['ordinal']}次（{s['state']}）" for s in package["unsealed"]]
        signers = sorted(set(self.signers.values()))
        if len(signers) > 1:
            self.findings.add("signer", "package.sig.json", f"包内签名者不一致 / several signers: {', '.join(signers)}")

    def check_sitting(self, listed: dict[str, Any], number: int, hearing_id: str) -> None:
        """One sitting's folder against its own signed manifest."""
        folder = f"{listed['folder']}/"
        name = f"{folder}manifest.json"
        manifest = self.document(name, MANIFEST_SCHEMA)
        self.check_signature(name, f"{folder}manifest.sig.json")
        if manifest is None:
            return
        sitting = manifest["sitting"]
        own = f"sitting-{sitting['ordinal']}"
        stated = (listed["sitting_id"], listed["ordinal"], listed["folder"], listed["manifest_sha256"], hearing_id)
        actual = (sitting["id"], sitting["ordinal"], own, self.digests[name][1], manifest["hearing"]["id"])
        if stated != actual:
            self.findings.add("changed", name, f"与 package.json 所列第{number}项不符 / not the sitting listed in package.json")
        self.check_files(folder, manifest)
        check_intervals(self.findings, name, manifest)
        for track in manifest["tracks"]:
            check_track(self.findings, f"{name} track {track['track_id']}", track, manifest)
        self.check_showings(name, manifest)
        entries = check_ledger(self.findings, f"{folder}ledger.jsonl", self.read(f"{folder}ledger.jsonl"), manifest)
        self.findings.gaps += material_gaps(manifest)
        self.lines += sitting_lines(manifest, self.digests[name][1], entries)

    def check_files(self, folder: str, manifest: dict[str, Any]) -> None:
        """Files, exhibits and transcript against the manifest; the Merkle root over all of them."""
        files = {entry["path"]: entry for entry in manifest["files"]}
        segments = {f"media/{t['track_id']}/{s['index']:06d}.webm": s for t in manifest["tracks"] for s in t["segments"]}
        for path, entry in files.items():
            self.check_file(folder + path, {**entry, **({"sm3": segments[path]["sm3"]} if path in segments else {})})
        for path, segment in segments.items():
            if files.get(path, {}).get("sha256") != segment["sha256"]:
                self.findings.add("changed", folder + path, "清单与分段记录不符 / file list and segment disagree")
        own = {n[len(folder) :] for n in self.digests if n.startswith(folder)} - set(files)
        for path in sorted(own - {"manifest.json", "manifest.sig.json", "ledger.jsonl"}):
            if path.startswith(LATER):
                continue
            self.findings.add("added", folder + path, "庭次清单之外的文件 / not in the manifest of the sitting: added")
        for exhibit in manifest["exhibits"]:
            self.check_file(exhibit["path"], exhibit)
        for transcript in manifest["transcripts"]:
            if files.get(transcript["path"], {}).get("sha256") != transcript["sha256"]:
                self.findings.add("changed", folder + transcript["path"], "笔录稿散列不符 / transcript hash differs")
        leaves = [(e["path"], e["sha256"]) for e in (*manifest["files"], *manifest["exhibits"])]
        if merkle_root(leaves) != manifest["merkle_root"]:
            self.findings.add("changed", f"{folder}manifest.json", "默克尔根不符 / Merkle root differs")

    def check_showings(self, name: str, manifest: dict[str, Any]) -> None:
        exhibits = {e["id"]: e for e in manifest["exhibits"]}
        for index, showing in enumerate(manifest["showings"]):
            exhibit = exhibits.get(showing["exhibit_id"])
            if exhibit is None or exhibit["sha256"] != showing["sha256"] or not 1 <= showing["page"] <= exhibit["pages"]:
                where = f"{name} showings[{index}]"
                self.findings.add("changed", where, "出示记录与证据不符 / shown exhibit or page does not exist")


def signature_document(signed: str, sha256: str, public_key: bytes, signature: bytes) -> dict[str, Any]:
    """The signature file of `signed`: nothing in it that is not checked."""
    return {
        "schema": SIGNATURE_SCHEMA, "algorithm": "Ed25519", "signed": signed,
        "sha256": sha256, "check_code": check_code(sha256),
        "public_key": public_key.hex(), "fingerprint": fingerprint_of(public_key), "signature": signature.hex(),
    }  # fmt: skip


def check_intervals(findings: Findings, name: str, manifest: dict[str, Any]) -> None:
    """Intervals must cover 宣布开庭 → 闭庭 without a hole (AV-3)."""
    at = 0
    for index, interval in enumerate(manifest["intervals"]):
        if interval["t0_ms"] != at or interval["t1_ms"] < at or interval["recorded"] not in ("full", "sealed", "none"):
            findings.add(
                "interval",
                f"{name} intervals[{index}]",
                f"区间不连续 / hole or overlap at {at} ms, starts at {interval['t0_ms']} ms",
            )
        at = interval["t1_ms"]
    if at != manifest["sitting"]["duration_ms"] or not manifest["intervals"]:
        findings.add(
            "interval",
            f"{name} intervals",
            f"未覆盖到闭庭 / end at {at} ms, the sitting at {manifest['sitting']['duration_ms']} ms",
        )


def check_track(findings: Findings, where: str, track: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Order and chain of a track's segments, its end, and that they cover what was to be recorded, or a gap is declared."""
    previous: dict[str, Any] = {"sha256": "", "t0_ms": 0, "t1_ms": 0, "index": -1}
    recorded = [(i["t0_ms"], i["t1_ms"]) for i in manifest["intervals"] if i["recorded"] != "none"]
    for segment in track["segments"]:
        place = f"{where} segment {segment['index']:06d}"
        if segment["index"] != previous["index"] + 1 or segment["prev_sha256"] != previous["sha256"]:
            findings.add("chain", place, f"分段链断裂或顺序被改 / chain broken or reordered after {previous['index']:06d}")
        if segment["t0_ms"] < previous["t0_ms"] or segment["t1_ms"] < segment["t0_ms"]:
            findings.add("chain", place, "时间倒退 / runs backwards in time")
        edges = [(t0 - OUTSIDE_MS, t1 + OUTSIDE_MS) for t0, t1 in recorded]
        if subtract((segment["t0_ms"], segment["t1_ms"]), edges):
            findings.add("outside", place, "录制于应录区间之外 / recorded outside the intervals that are recorded")
        previous = segment
    end = track["end"]
    if end is not None and (end["segments"], end["last_sha256"]) != (len(track["segments"]), previous["sha256"]):
        findings.add("tail", where, f"尾部被截断 / tail cut: 应有 {end['segments']} 段，实有 {len(track['segments'])} 段")
    covers = [(s["t0_ms"], s["t1_ms"]) for s in track["segments"]]
    covers += [(g["t0_ms"], g["t1_ms"]) for g in manifest["gaps"] if g["track_id"] == track["track_id"]]
    for span in recorded:
        for t0, t1 in subtract(span, covers):
            if t1 - t0 > COVER_MS:
                findings.add("uncovered", where, f"{t0}–{t1} ms 无录制也未声明 / neither recorded nor declared as a gap")


def check_ledger(findings: Findings, name: str, data: bytes, manifest: dict[str, Any]) -> tuple[int, int]:
    """The hash chain of the ledger up to the head in the manifest; returns (entries, withheld)."""
    head, sitting_id = manifest["ledger"], manifest["sitting"]["id"]
    chain, withheld, number = first_chain_hash(sitting_id), 0, 0
    lines = data.split(b"\n")
    if lines.pop() != b"":
        findings.add("ledger", name, "最后一行不完整 / last line is cut")
    for number, line in enumerate(lines, start=1):
        place = f"{name} 第{number}行"
        try:
            entry = json.loads(line)
            entry_hash = entry.get("entry_hash")
            if "entry" in entry:
                entry_hash = hashlib.sha256(bytes.fromhex(entry["salt"]) + entry["entry"].encode()).hexdigest()
                inside = json.loads(entry["entry"])
                if (inside["number"], inside["sitting_id"]) != (number, sitting_id):
                    findings.add("ledger", place, f"条目序号不符 / holds entry number {inside['number']}")
            else:
                withheld += 1
            chain = hashlib.sha256(f"{chain}{entry_hash}".encode()).hexdigest()
            if entry["number"] != number:
                findings.add("ledger", place, f"序号不连续 / number {entry['number']} out of order")
            if entry["chain_hash"] != chain:
                findings.add(
                    "ledger",
                    place,
                    f"账本链不符：条目被改、删、插或换序 / chain differs, entry {number} altered, removed or reordered",
                )
                chain = entry["chain_hash"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            findings.add("ledger", place, f"无法解析 / cannot be parsed ({error!r})")
    if (number, chain) != (head["entries"], head["chain_hash"]):
        findings.add(
            "ledger",
            name,
            f"账本头不符（尾部被截或改写）/ head differs: 应有 {head['entries']} 条 {head['chain_hash']}，实有 {number} 条 {chain}",
        )
    return number, withheld


def material_gaps(manifest: dict[str, Any]) -> list[str]:
    """Declared gaps that are not simply a person's absence or own switch."""
    people = {p["id"]: f"{p['label']} {p['name']}" for p in manifest["people"]}
    return [
        f"第{manifest['sitting']['ordinal']}次 {people.get(g['participant_id'], g['participant_id'])} {g['kind']} "
        f"{clock(g['t0_ms'])}–{clock(g['t1_ms'])} 原因 {g['cause']}"
        for g in manifest["gaps"] if g["cause"] not in BENIGN
    ]  # fmt: skip


def sitting_lines(manifest: dict[str, Any], sha256: str, entries: tuple[int, int]) -> list[str]:
    """Summary of one sitting for people."""
    sitting, tracks, shown = manifest["sitting"], manifest["tracks"], len(manifest["showings"])
    totals = manifest["totals"]
    return [
        f"第{sitting['ordinal']}次庭审 {sitting['opened_at']} 开庭，{sitting['closed_at']} 闭庭，历时 {clock(sitting['duration_ms'])}",
        f"  音视频轨 {len(tracks)} 条，分段 {sum(len(t['segments']) for t in tracks)} 个；证据 {len(manifest['exhibits'])} 件，出示 {shown} 次",
        f"  应录 {clock(totals['recorded_ms'])}；各轨合计补静音 {totals['filled_ms'] / 1000:.1f} 秒，丢包率 {totals['loss_ratio']:.2%}",
        f"  机器稿 {manifest['transcripts'][-1]['lines']} 行；账本 {entries[0]} 条（隐去 {entries[1]} 条）",
        f"  完整性校验值 sha256 {sha256}　校验码 {check_code(sha256)}",
    ]


def clock(ms: int) -> str:
    """A place on the record clock as hh:mm:ss."""
    seconds = abs(ms) // 1000
    return f"{'-' if ms < 0 else ''}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def verify(path: Path, key: str | None = None) -> Report:
    """Verify a package folder or zip. `key`: fingerprint of the court key to compare the signer with.

    Raises Unusable when the path does not exist or the key is no fingerprint.
    """
    wanted = "".join(key.split()).replace(":", "").lower() if key is not None else None
    if wanted is not None and (len(wanted) != 64 or set(wanted) - set("0123456789abcdef")):
        raise Unusable(f"密钥指纹应为 64 位十六进制 / --key must be 64 hex digits, got {key!r}")
    if not path.exists():
        raise Unusable(f"路径不存在 / no such path: {path}")
    findings = Findings()
    lines: list[str] = []
    try:
        package = Package(Folder(path, findings) if path.is_dir() else Zip(path, findings), findings, wanted)
        lines = package.lines
        package.check()
        lines += [f"签名者 / signer {s}" for s in sorted(set(package.signers.values()))]
    except zipfile.BadZipFile as error:
        findings.add("unreadable", path.name, f"不是完整的 zip 文件 / not a whole zip file ({error})")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        findings.add("malformed", path.name, f"格式不符 / fields are missing or of a wrong type ({error!r})")
    problems = tuple(dict.fromkeys(findings.problems))
    verdict = "damaged" if problems else "complete_with_gaps" if findings.gaps else "complete"
    lines += [f"声明的中断 / declared gap: {gap}" for gap in findings.gaps]
    if wanted is None:
        lines.append("未提供密钥指纹，签名者未比对 / signer not compared: no key was given")
    return Report(not problems, verdict, problems, wanted is not None, "\n".join(lines))


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="verify.py", description="核验庭审记录包 / verify a record package (folder or zip)")
    parser.add_argument("path", type=Path, nargs="?", default=Path(), metavar="DIR_OR_ZIP")
    parser.add_argument("--key", metavar="FINGERPRINT", help="法院公布的密钥指纹 / the court's published key fingerprint")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        report = verify(options.path, options.key)
    except (Unusable, OSError) as error:
        print(f"无法核验 / cannot verify: {error}", file=sys.stderr)
        return 2
    print(report.summary)
    for problem in report.problems:
        print(problem)
    verdicts = {
        "complete": "核验通过：记录完整，未被改动 / COMPLETE",
        "complete_with_gaps": "核验通过：记录未被改动，有声明的中断 / COMPLETE, with declared gaps",
        "damaged": f"核验不通过：{len(report.problems)} 处问题 / DAMAGED, {len(report.problems)} problem(s)",
    }
    print(verdicts[report.verdict])
    return 0 if report.complete else 1


if __name__ == "__main__":
    sys.exit(main())
