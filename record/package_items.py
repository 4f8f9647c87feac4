"""One file of a package, and the port by which other parts of the record add files of theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from record.model import Material


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
