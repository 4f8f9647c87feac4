"""The draft as it is worked on: the newest finished version of the machine's lines under everything the clerk corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.model import SittingId
from transcripts import store, versions
from transcripts.composing import touched
from transcripts.editing import Reading, read
from transcripts.model import Line, Revision, Utterance


@dataclass(frozen=True, slots=True)
class Draft:
    """Machine lines and corrections of one version, and how they read."""

    version: int  # 0: the live draft
    said: tuple[Utterance, ...]
    revisions: tuple[Revision, ...]
    reading: Reading

    @property
    def lines(self) -> tuple[Line, ...]:
        return self.reading.lines

    def line(self, line_id: str) -> Line | None:
        """The line as it stands, None where it is none (any more)."""
        return next((line for line in self.lines if line.utterance.id == line_id), None)

    def with_revision(self, revision: Revision) -> Draft:
        """The draft after one more correction."""
        revisions = (*self.revisions, revision)
        return Draft(self.version, self.said, revisions, read(self.said, revisions))


async def draft_of(connection: AsyncConnection, sitting_id: str, live: Sequence[Utterance] | None = None) -> Draft:
    """The draft that may be corrected now. `live`: the lines of the live draft, where they are at hand."""
    known = await versions.versions_of(connection, sitting_id)
    done = [version for version in known if version.state == versions.DONE]
    revisions = tuple(await store.revisions_of(connection, SittingId(sitting_id)))
    if not done:
        said = tuple(live) if live is not None else await store.machine_lines(connection, SittingId(sitting_id))
        return Draft(0, said, revisions, read(said, revisions))
    newest = done[-1]
    earlier = [one for one in await store.every_line(connection, SittingId(sitting_id)) if one.version < newest.number]
    said = (*touched(earlier, revisions), *await versions.lines_of_version(connection, newest))
    return Draft(newest.number, said, revisions, read(said, revisions))
