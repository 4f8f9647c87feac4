"""Rules of taking an exhibit in: digests, numbering, accepted types, limits of its texts."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from hearing.model import BENCH, Participant, Role, Side

ACCEPTED: Mapping[str, str] = MappingProxyType(
    {"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
)
"""Accepted media types, each with the file name ending it gets in a package."""

TITLE_MAX = 100
PURPOSE_MAX = 500
FILE_NAME_MAX = 200

SIDE_NAMES: Mapping[Side, str] = MappingProxyType(
    {Side.PLAINTIFF: "原告", Side.DEFENDANT: "被告", Side.THIRD_PARTY: "第三人", Side.COURT: "法院"}
)
_SIDE_OF_ROLE = {Role.PLAINTIFF: Side.PLAINTIFF, Role.DEFENDANT: Side.DEFENDANT, Role.THIRD_PARTY: Side.THIRD_PARTY}


class Digests:
    """SHA-256 and SM3 (GB/T 32905) and the length of bytes as they stream by."""

    def __init__(self) -> None:
        self._sha256, self._sm3, self.bytes = hashlib.sha256(), hashlib.new("sm3"), 0

    def update(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        self._sm3.update(chunk)
        self.bytes += len(chunk)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def sm3(self) -> str:
        return self._sm3.hexdigest()


def side_of(participant: Participant, represented: Role | None) -> Side | None:
    """The side a person submits for; `represented` is the role of the party an agent stands for.

    None for people who have no side: witness, expert, interpreter, observer.
    """
    if participant.role in BENCH:
        return Side.COURT
    role = represented if participant.role is Role.AGENT else participant.role
    return _SIDE_OF_ROLE.get(role) if role is not None else None


def exhibit_number(side: Side, ordinal: int) -> str:
    """Number as it is called out in court: 原告证据1."""
    return f"{SIDE_NAMES[side]}证据{ordinal}"


def clean_text(text: str) -> str:
    """One line of printable text: control and direction-override characters removed, spaces collapsed (NFC)."""
    printable = "".join(" " if c.isspace() else c for c in unicodedata.normalize("NFC", text) if c.isspace() or c.isprintable())
    return " ".join(printable.split())


def clean_file_name(file_name: str) -> str:
    """The bare name of an uploaded file, without any path, at most FILE_NAME_MAX characters, its ending kept."""
    bare = PurePosixPath(clean_text(file_name).replace("\\", "/")).name.lstrip(".") or "未命名"
    ending = PurePosixPath(bare).suffix[:20]
    return bare if len(bare) <= FILE_NAME_MAX else bare[: FILE_NAME_MAX - len(ending)] + ending
