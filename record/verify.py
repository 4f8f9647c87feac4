"""Verify a record package (庭审记录包): one file, Python standard library only, nothing is written.

Inside a package:  python3 verify.py .            (or verify.py PACKAGE.zip)
With the court's published key fingerprint:  python3 verify.py . --key FINGERPRINT

Exit 0: everything is there and unchanged. 1: something is missing, added, changed, reordered, cut off or signed by another
key; each is named. 2: the arguments or the path cannot be used. The format is described in docs/record-format.md.
"""

from __future__ import annotations

import argparse
import base64
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
from typing import Any, Optional, Tuple

PACKAGE_SCHEMA = "remote-court/package/1"
MANIFEST_SCHEMA = "remote-court/manifest/1"
SIGNATURE_SCHEMA = "remote-court/signature/1"
KEYS_SCHEMA = "remote-court/keys/1"
STAMPS_SCHEMA = "remote-court/stamps/1"
CLASSES = ("public", "parties", "panel", "sealed")  # access classes, each includes those before it
DESTROYED = "destroyed"  # in place of a class: nobody can read it any more, its key was destroyed by ruling
SIMULATED_POLICY = "2.25.284155374193571066113052306811208117361"  # what our own simulator of a time stamp authority states
COVER_MS = 250  # a hole in a track shorter than this is not a gap: packets and frames do not end on the millisecond
OUTSIDE_MS = 500  # a segment may reach this far over the edge of an interval that is recorded
LATER = ("statements/", "film.mp4", "stamps.json", "left/", "transcript/")  # made after the seal: package.json alone lists them
BENIGN = frozenset({"absent", "outside", "camera_off", "muted", "not_shared", "joining", "leaving"})  # nothing to be recorded
BLOCK = 1 << 20
BOMB_RATIO, BOMB_BYTES = 100, 1 << 24  # no file of a package packs so well: sound, pictures and JSON of this size
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
    """Fingerprint of a court key: SHA-256 of the raw public key (Ed25519: 32 bytes; SM2: 65 bytes, 04 x y)."""
    return hashlib.sha256(public_key).hexdigest()


def succession_bytes(old: str, new: str, at: str) -> bytes:
    """What both keys sign when one follows the other; `old` and `new` are raw public keys in hex."""
    return canonical({"schema": "remote-court/succession/1", "old": old, "new": new, "at": at})


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


# --- SM3 (GB/T 32905-2016) and SM2 verification (GB/T 32918.2-2016 section 7), curve of GB/T 32918.5-2017 -----------------

SM2_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
SM2_A = SM2_P - 3
SM2_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
SM2_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
SM2_G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
SM2_USER_ID = b"1234567812345678"  # the default of GM/T 0009-2012 section 10
Affine = Optional[Tuple[int, int]]


def sm3(data: bytes) -> bytes:
    """SM3 of `data`; in plain Python where this interpreter's OpenSSL has none."""
    return hashlib.new("sm3", data).digest() if "sm3" in hashlib.algorithms_available else sm3_plain(data)


def sm3_plain(data: bytes) -> bytes:
    """SM3, GB/T 32905-2016 section 5."""
    mask = 0xFFFFFFFF

    def rotate(x: int, n: int) -> int:
        return (x << n % 32 | x >> (-n % 32)) & mask

    v = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + (8 * len(data)).to_bytes(8, "big")
    for start in range(0, len(padded), 64):
        w = [int.from_bytes(padded[at : at + 4], "big") for at in range(start, start + 64, 4)]
        for j in range(16, 68):
            x = w[j - 16] ^ w[j - 9] ^ rotate(w[j - 3], 15)
            w.append(x ^ rotate(x, 15) ^ rotate(x, 23) ^ rotate(w[j - 13], 7) ^ w[j - 6])
        a, b, c, d, e, f, g, h = v
        for j in range(64):
            ss1 = rotate((rotate(a, 12) + e + rotate(0x79CC4519 if j < 16 else 0x7A879D8A, j)) & mask, 7)
            ff = a ^ b ^ c if j < 16 else a & b | a & c | b & c
            gg = e ^ f ^ g if j < 16 else e & f | ~e & g
            tt1 = (ff + d + (ss1 ^ rotate(a, 12)) + (w[j] ^ w[j + 4])) & mask
            tt2 = (gg + h + ss1 + w[j]) & mask
            a, b, c, d = tt1, a, rotate(b, 9), c
            e, f, g, h = tt2 ^ rotate(tt2, 9) ^ rotate(tt2, 17), e, rotate(f, 19), g
        v = [old ^ new for old, new in zip(v, (a, b, c, d, e, f, g, h))]  # noqa: B905  strict= is Python 3.10
    return b"".join(word.to_bytes(4, "big") for word in v)


def sm2_add(p: Affine, q: Affine) -> Affine:
    """Sum of two points of the curve; None is the point at infinity."""
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0] and (p[1] + q[1]) % SM2_P == 0:
        return None
    top, bottom = (3 * p[0] * p[0] + SM2_A, 2 * p[1]) if p == q else (q[1] - p[1], q[0] - p[0])
    slope = top * pow(bottom, -1, SM2_P) % SM2_P
    x = (slope * slope - p[0] - q[0]) % SM2_P
    return x, (slope * (p[0] - x) - p[1]) % SM2_P


def sm2_multiply(scalar: int, point: Affine) -> Affine:
    result: Affine = None
    for bit in f"{scalar:b}":
        result = sm2_add(result, result)
        result = sm2_add(result, point) if bit == "1" else result
    return result


def sm2_digest(public_key: bytes, message: bytes, user_id: bytes = SM2_USER_ID) -> int:
    """The e of GB/T 32918.2: SM3 of Z (user id, curve, public key) and the message. `public_key`: 04, x, y."""
    curve = b"".join(value.to_bytes(32, "big") for value in (SM2_A, SM2_B, *SM2_G))
    z = sm3((8 * len(user_id)).to_bytes(2, "big") + user_id + curve + public_key[1:])
    return int.from_bytes(sm3(z + message), "big")


def sm2_verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """True when `signature` (DER, GM/T 0009-2012 7.3) is the SM2 signature of `message` by the point `public_key`."""
    x, y = int.from_bytes(public_key[1:33], "big"), int.from_bytes(public_key[33:], "big")
    on_curve = x < SM2_P and y < SM2_P and (y * y - x * x * x - SM2_A * x - SM2_B) % SM2_P == 0
    try:
        ((tag, body),) = der_items(signature)
        (r_tag, r_bytes), (s_tag, s_bytes) = der_items(body)
    except ValueError:
        return False
    r, s = int.from_bytes(r_bytes, "big", signed=True), int.from_bytes(s_bytes, "big", signed=True)
    if len(public_key) != 65 or public_key[0] != 4 or not on_curve or (tag, r_tag, s_tag) != (0x30, 2, 2):
        return False
    if signature != der(0x30, der_integer(r) + der_integer(s)) or not (0 < r < SM2_N and 0 < s < SM2_N) or r + s == SM2_N:
        return False
    point = sm2_add(sm2_multiply(s, SM2_G), sm2_multiply((r + s) % SM2_N, (x, y)))
    return point is not None and (sm2_digest(public_key, message) + point[0] - r) % SM2_N == 0


def der(tag: int, content: bytes) -> bytes:
    """One DER value (X.690 section 8.1)."""
    size = len(content)
    length = bytes([size]) if size < 128 else size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (length if size < 128 else bytes([0x80 | len(length)]) + length) + content


def der_integer(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def der_items(data: bytes) -> list[tuple[int, bytes]]:
    """The values that stand one after another in `data`, as (tag, content). Raises ValueError where they are cut or not DER."""
    items, at = [], 0
    while at < len(data):
        tag, size, start = data[at], data[at + 1] if at + 1 < len(data) else -1, at + 2
        if size >= 128:
            start += size & 127
            size = int.from_bytes(data[at + 2 : start], "big") if 128 < size <= 132 else -1
        if size < 0 or start + size > len(data):
            raise ValueError("not DER")
        items.append((tag, data[start : start + size]))
        at = start + size
    return items


def algorithm_of(public_key: bytes) -> str:
    """Ed25519 keys are 32 bytes, SM2 keys 65 (04, x, y)."""
    return "SM2-SM3" if len(public_key) == 65 else "Ed25519"


def signature_holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """True when `signature` is that of `message` by `public_key`, in the algorithm that the key is made for."""
    holds = sm2_verify if algorithm_of(public_key) == "SM2-SM3" else ed25519_verify
    return holds(public_key, message, signature)


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
        self.sizes: dict[str, int] = {}
        for folder, folders, files in os.walk(root):
            for name in sorted(folders + files):
                path = Path(folder, name)
                mode = path.lstat().st_mode
                if not stat.S_ISDIR(mode):
                    relative = path.relative_to(root).as_posix()
                    self.sizes[relative] = path.lstat().st_size if stat.S_ISREG(mode) else 0
                    if not stat.S_ISREG(mode):
                        findings.add("unsafe", relative, "不是普通文件（链接或设备）/ not a regular file")

    def chunks(self, name: str) -> Iterator[bytes]:
        path = self.root / name
        if not stat.S_ISREG(path.lstat().st_mode):
            return
        with path.open("rb") as file:
            yield from iter(lambda: file.read(BLOCK), b"")


class Zip:
    """A package as a zip, read in place; names that reach outside, links, encryption, doubles and bombs are problems."""

    def __init__(self, path: Path, findings: Findings) -> None:
        self.archive = zipfile.ZipFile(path)
        self.sizes: dict[str, int] = {}
        for info in self.archive.infolist():
            name, raw, parts = info.filename, info.orig_filename, info.filename.split("/")
            if name.startswith("/") or ".." in parts or ":" in parts[0] or "\\" in raw or "\x00" in raw:
                findings.add("unsafe", name, "压缩包内路径越界 / path reaches outside the package")
            elif name in self.sizes:
                findings.add("duplicate", name, "压缩包内有同名文件 / name occurs twice in the zip")
            elif stat.S_ISLNK(info.external_attr >> 16) or info.flag_bits & 1:
                findings.add("unsafe", name, "链接或加密的条目 / link or encrypted entry")
            elif info.file_size > max(BOMB_BYTES, BOMB_RATIO * info.compress_size):
                findings.add("unsafe", name, f"压缩比异常（压缩炸弹）/ unpacks to {info.file_size} bytes: a zip bomb")
            elif not info.is_dir():
                self.sizes[name] = info.file_size

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
    withheld: int = 0  # files left out by class or destroyed by ruling; each is declared with its hash


class Package:
    """One package under verification: the digests of its files and the findings so far."""

    def __init__(self, source: Folder | Zip, findings: Findings, key: str | None) -> None:
        self.source, self.findings, self.key = source, findings, key
        self.signers: dict[str, str] = {}
        self.lines: list[str] = []
        self.withheld: dict[str, dict[str, Any]] = {}
        self._digests: dict[str, Digest] = {}

    def digest(self, name: str) -> Digest:
        """Length and hashes of a file that is there, read once."""
        if name not in self._digests:
            self._digests[name] = self._read_digest(name)
        return self._digests[name]

    def _read_digest(self, name: str) -> Digest:
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
        size = self.source.sizes.get(name, 0)
        if size > DOCUMENT_MAX_BYTES:
            self.findings.add("malformed", name, f"文件过大 / too large for a document: {size} bytes")
        try:
            return b"".join(self.source.chunks(name)) if 0 < size <= DOCUMENT_MAX_BYTES else b""
        except READ_ERRORS as error:
            self.findings.add("unreadable", name, f"无法读取 / cannot be read ({error})")
            return b""

    def document(self, name: str, schema: str) -> dict[str, Any] | None:
        """A canonical JSON object of a given schema; None after reporting why not."""
        data = self.read(name)
        if name not in self.source.sizes:
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
        """One listed file: is it there, and unchanged in length, SHA-256 and (where given) SM3? Or declared as withheld?"""
        size, kept_back = self.source.sizes.get(name), self.withheld.get(name)
        if size is None and kept_back is not None:
            if kept_back["sha256"] != entry["sha256"]:
                self.findings.add("withheld", name, "隐去声明的散列不符 / withheld under another hash than sealed")
            return
        if size is None:
            self.findings.add("missing", name, "缺失 / missing")
            return
        if size != entry["bytes"]:  # not read: whoever swells a file does not make us read it
            text = f"内容被改动 / changed: 应为 {entry['bytes']} 字节 sha256 {entry['sha256']}，实为 {size} 字节"
            self.findings.add("changed", name, text)
            return
        _, sha256, sm3_hex = self.digest(name)
        if sha256 != entry["sha256"]:
            self.findings.add("changed", name, f"内容被改动 / changed: 应为 sha256 {entry['sha256']}，实为 {sha256}")
        elif sm3_hex and entry.get("sm3", sm3_hex) != sm3_hex:
            self.findings.add("changed", name, f"SM3 不符 / SM3 differs: 应为 {entry['sm3']}，实为 {sm3_hex}")

    def check_signature(self, signed: str, signature_name: str) -> None:
        """The signature document of a file, every field of it, and the signer against the given key."""
        document = self.document(signature_name, SIGNATURE_SCHEMA)
        if document is None or signed not in self.source.sizes:
            return
        try:
            public_key, signature = bytes.fromhex(document["public_key"]), bytes.fromhex(document["signature"])
            fingerprint = fingerprint_of(public_key)
            expected = signature_document(signed.rsplit("/", maxsplit=1)[-1], self.digest(signed)[1], public_key, signature)
        except (KeyError, TypeError, ValueError) as error:
            self.findings.add("signature", signature_name, f"签名文件格式错误 / malformed signature ({error})")
            return
        if document != expected or not signature_holds(public_key, self.read(signed), signature):
            text = f"签名不成立：内容或签名被改动 / signature does not match (signer {fingerprint})"
            self.findings.add("signature", signed, text)
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
        self.check_withheld(package, set(listed))
        for name, entry in sorted(listed.items()):
            self.check_file(name, entry)
        for name in sorted(set(self.source.sizes) - set(listed) - {"package.json", "package.sig.json"}):
            self.findings.add("added", name, "清单之外的文件 / not in the list: added")
        hearing = package["hearing"]
        self.lines.append(f"案号 {hearing['case_number']}　{hearing['title']}　{package['court']['name']}")
        for number, sitting in enumerate(package["sittings"], start=1):
            self.check_sitting(sitting, number, hearing["id"])
        self.lines += [f"未封存的庭次 / not sealed: 第{s['ordinal']}次（{s['state']}）" for s in package["unsealed"]]
        self.lines += self.withheld_lines(package["access"])
        self.check_signers()

    def check_withheld(self, package: dict[str, Any], listed: set[str]) -> None:
        """What a package leaves out: only files above its class or destroyed by ruling, never what proves the rest."""
        own = CLASSES.index(package["access"])
        for entry in package["withheld"]:
            path = entry["path"]
            proof = path.endswith(("/manifest.sig.json", "/manifest.json", "/ledger.jsonl")) or "/" not in path
            above = entry["access"] == DESTROYED or CLASSES.index(entry["access"]) > own
            there = path in listed or path in self.source.sizes or path in self.withheld
            if proof or there or not above:
                self.findings.add("withheld", path, "不应隐去的文件被列为隐去 / declared as withheld and must not be")
            self.withheld[path] = entry

    def withheld_lines(self, own: str) -> list[str]:
        """What is left out, for people."""
        destroyed = sum(entry["access"] == DESTROYED for entry in self.withheld.values())
        above = len(self.withheld) - destroyed
        lines = [f"按等级隐去 {above} 个文件 / {above} file(s) withheld by class（本包等级 / class of this package: {own}）"]
        lines += [f"依裁定销毁 {destroyed} 个文件 / {destroyed} file(s) destroyed by ruling"]
        return [line for line, count in zip(lines, (above, destroyed)) if count]  # noqa: B905  strict= is Python 3.10

    def check_signers(self) -> None:
        """One court signed everything: one key, or keys that follow one another; and the given key is among them."""
        group = self.successors() if "keys.json" in self.source.sizes else {}
        homes = {name: group.get(fingerprint, fingerprint) for name, fingerprint in self.signers.items()}
        signers = sorted(set(self.signers.values()))
        if len(set(homes.values())) > 1:
            self.findings.add("signer", "package.sig.json", f"包内签名者不一致 / several signers: {', '.join(signers)}")
        for name, fingerprint in sorted(self.signers.items()):
            if self.key is not None and homes[name] != group.get(self.key, self.key):
                text = f"由另一把密钥签名 / signed by another key: 应为 {self.key}，实为 {fingerprint}"
                self.findings.add("signer", name, text)
        self.lines += [f"签名者 / signer {signer}" for signer in signers]
        if len(signers) > 1 and len(set(homes.values())) == 1:
            self.lines.append("签名密钥有交接，新旧密钥互相签认 / the keys follow one another, each signed by both")

    def successors(self) -> dict[str, str]:
        """Fingerprint → a name common to all keys that follow one another; a hand-over counts when both keys signed it."""
        group: dict[str, str] = {}
        document = self.document("keys.json", KEYS_SCHEMA)
        for index, entry in enumerate(document["successions"] if document else []):
            signed = succession_bytes(entry["old"], entry["new"], entry["at"])
            old, new = bytes.fromhex(entry["old"]), bytes.fromhex(entry["new"])
            signatures = bytes.fromhex(entry["old_signature"]), bytes.fromhex(entry["new_signature"])
            if not signature_holds(old, signed, signatures[0]) or not signature_holds(new, signed, signatures[1]):
                self.findings.add(
                    "signature", "keys.json", f"第{index + 1}次密钥交接签名不成立 / succession is not signed by both keys"
                )
                continue
            one, other = (group.get(fingerprint_of(key), fingerprint_of(key)) for key in (old, new))
            group.update({fingerprint_of(old): one, fingerprint_of(new): one})
            group = {fingerprint: one if home == other else home for fingerprint, home in group.items()}
        return group

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
        actual = (sitting["id"], sitting["ordinal"], own, self.digest(name)[1], manifest["hearing"]["id"])
        if stated != actual:
            self.findings.add("changed", name, f"与 package.json 所列第{number}项不符 / not the sitting listed in package.json")
        self.check_files(folder, manifest)
        check_intervals(self.findings, name, manifest)
        for track in manifest["tracks"]:
            check_track(self.findings, f"{name} track {track['track_id']}", track, manifest)
        self.check_showings(name, manifest)
        ledger = self.read(f"{folder}ledger.jsonl")
        entries = check_ledger(self.findings, f"{folder}ledger.jsonl", ledger, manifest)
        self.findings.gaps += material_gaps(manifest)
        self.lines += sitting_lines(manifest, self.digest(name)[1], entries)
        self.check_stamps(folder, manifest, ledger)
        self.check_later(folder)

    def check_later(self, folder: str) -> None:
        """What was made after the seal: each statement holds what was signed, the film is the one that the court signed."""
        statements = [n for n in sorted(self.source.sizes) if n.startswith(f"{folder}statements/") and n.endswith(".json")]
        for name in statements:
            try:
                statement = json.loads(self.read(name))
                genuine = hashlib.sha256(canonical(statement["document"])).hexdigest() == statement["sha256"]
            except (ValueError, KeyError, TypeError):
                genuine = False
            if not genuine:
                self.findings.add("changed", name, "说明内容与所签散列不符 / statement is not what was signed")
        film = f"{folder}film.mp4"
        if film in self.source.sizes:
            self.check_signature(f"{film}.json", f"{film}.json.sig.json")
            try:
                stated = json.loads(self.read(f"{film}.json"))
                agrees = stated["manifest_sha256"] == self.digest(f"{folder}manifest.json")[1]
                agrees = agrees and stated["film"]["sha256"] == self.digest(film)[1]
            except (ValueError, KeyError, TypeError):
                agrees = False
            if not agrees:
                self.findings.add(
                    "changed", film, "合成录像与其说明不符 / film is not the one that was signed for this sitting"
                )
            self.lines.append("  合成录像由法院签名，据封存内容制作 / film signed by the court, made from what was sealed")

    def check_stamps(self, folder: str, manifest: dict[str, Any], ledger: bytes) -> None:
        """The time stamps in the manifest, and those that came after the seal."""
        name, stamps = f"{folder}manifest.json", list(manifest["stamps"])
        later = self.document(f"{folder}stamps.json", STAMPS_SCHEMA) if f"{folder}stamps.json" in self.source.sizes else None
        if later is not None and later["sitting_id"] != manifest["sitting"]["id"]:
            self.findings.add("stamp", f"{folder}stamps.json", "属于另一庭次 / of another sitting")
        stamps += later["stamps"] if later is not None else []
        heads = chain_heads(ledger)
        for stamp in stamps:
            self.lines.append(check_stamp(self.findings, name, stamp, heads, self.digest(name)[1]))
        stamped = {stamp.get("number") for stamp in stamps}
        self.lines += [
            f"  账本第{missing['number']}条未加盖时间戳 / not time-stamped: {missing['cause']}"
            for missing in manifest["stamps_missing"] if missing["number"] not in stamped
        ]  # fmt: skip

    def check_files(self, folder: str, manifest: dict[str, Any]) -> None:
        """Files, exhibits and transcript against the manifest; the Merkle root over all of them."""
        files = {entry["path"]: entry for entry in manifest["files"]}
        segments = {f"media/{t['track_id']}/{s['index']:06d}.webm": s for t in manifest["tracks"] for s in t["segments"]}
        for path, entry in files.items():
            self.check_file(folder + path, {**entry, **({"sm3": segments[path]["sm3"]} if path in segments else {})})
        for path, segment in segments.items():
            if files.get(path, {}).get("sha256") != segment["sha256"]:
                self.findings.add("changed", folder + path, "清单与分段记录不符 / file list and segment disagree")
        own = {n[len(folder) :] for n in self.source.sizes if n.startswith(folder)} - set(files)
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
        "schema": SIGNATURE_SCHEMA, "algorithm": algorithm_of(public_key), "signed": signed,
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


def chain_heads(ledger: bytes) -> dict[int, str]:
    """Number → chain_hash of every line that can be read (check_ledger() has named the others)."""
    heads = {}
    for line in ledger.splitlines():
        try:
            entry = json.loads(line)
            heads[entry["number"]] = entry["chain_hash"]
        except (ValueError, KeyError, TypeError):
            continue
    return heads


def stamp_info(token: bytes) -> tuple[str, bytes, str]:
    """Policy, SHA-256 that was stamped and time (UTC) of an RFC 3161 token. Raises ValueError where it is none of them."""
    try:
        ((_, outer),) = der_items(token)  # ContentInfo (RFC 5652 section 3)
        (_, kind), (_, explicit) = der_items(outer)
        ((_, signed),) = der_items(explicit)  # SignedData (5.1)
        _version, _digests, (_, content), *_ = der_items(signed)
        (_, content_kind), (_, octets) = der_items(content)
        ((_, body),) = der_items(octets)
        ((_, info),) = der_items(body)  # TSTInfo (RFC 3161 section 2.4.2)
        _version, (_, policy), (_, imprint), _serial, (time_tag, time), *_ = der_items(info)
        (_, algorithm), (_, digest) = der_items(imprint)
        (_, hash_kind), *_ = der_items(algorithm)
    except (ValueError, TypeError) as error:
        raise ValueError("not an RFC 3161 token") from error
    kinds = (kind.hex(), content_kind.hex(), hash_kind.hex(), time_tag)
    if kinds != ("2a864886f70d010702", "2a864886f70d0109100104", "608648016503040201", 0x18):  # SignedData, TSTInfo, SHA-256
        raise ValueError("not an RFC 3161 token over SHA-256")
    return oid_text(policy), digest, time.decode("ascii")


def oid_text(data: bytes) -> str:
    """An object identifier with dots (X.690 section 8.19)."""
    arcs, value = [], 0
    for byte in data:
        value = value << 7 | byte & 127
        if byte < 128:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2) if arcs else 0
    return ".".join(str(arc) for arc in (first, (arcs[0] if arcs else 0) - 40 * first, *arcs[1:]))


def check_stamp(findings: Findings, name: str, stamp: dict[str, Any], heads: dict[int, str], manifest_sha256: str) -> str:
    """One time stamp: what it stamps is in the record, and its token is over just that. Returns a line for people."""
    if "number" in stamp:
        subject, expected, stamped = f"账本第{stamp['number']}条", heads.get(stamp["number"]), stamp["chain_hash"]
    else:
        subject, expected, stamped = "封存清单", manifest_sha256, stamp["manifest_sha256"]
    if stamped != expected:
        findings.add("stamp", name, f"{subject}：时间戳所盖的散列不在记录中 / stamped hash is not in the record")
    try:
        policy, digest, time = stamp_info(base64.b64decode(stamp["token"], validate=True))
    except ValueError as error:
        findings.add("stamp", name, f"{subject}：时间戳无法读取 / token cannot be read ({error})")
        return f"  时间戳 {subject} 无法读取"
    if digest != hashlib.sha256(stamped.encode()).digest():
        findings.add("stamp", name, f"{subject}：时间戳不是对该散列所盖 / token is over something else")
    if (policy == SIMULATED_POLICY) != stamp["simulated"]:
        findings.add("stamp", name, f"{subject}：模拟时间戳的标注不符 / simulator not labelled as what it is")
    note = "模拟时间戳（演示），不具证明力 / SIMULATOR, proves no time"
    if policy != SIMULATED_POLICY:
        note = "机构签名未在此核验，用 openssl ts -verify 核验 / authority's signature is not checked here"
    return f"  时间戳 {subject} {time}（UTC）{stamp['authority']}：{note}"


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
        f"  机器稿 {manifest['transcripts'][0]['lines']} 行；账本 {entries[0]} 条（隐去 {entries[1]} 条）",
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
    package = None
    try:
        package = Package(Folder(path, findings) if path.is_dir() else Zip(path, findings), findings, wanted)
        lines = package.lines
        package.check()
    except zipfile.BadZipFile as error:
        findings.add("unreadable", path.name, f"不是完整的 zip 文件 / not a whole zip file ({error})")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        findings.add("malformed", path.name, f"格式不符 / fields are missing or of a wrong type ({error!r})")
    problems = tuple(dict.fromkeys(findings.problems))
    verdict = "damaged" if problems else "complete_with_gaps" if findings.gaps else "complete"
    lines += [f"声明的中断 / declared gap: {gap}" for gap in findings.gaps]
    if wanted is None:
        lines.append("未提供密钥指纹，签名者未比对 / signer not compared: no key was given")
    withheld = len(package.withheld) if package is not None else 0
    return Report(not problems, verdict, problems, wanted is not None, "\n".join(lines), withheld)


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
