"""Names of the courts of this installation; read once, they change only with a new installation step."""

from __future__ import annotations

from sqlalchemy import select

from storage.database import Database
from storage.tables import courts


class CourtNames:
    """Court id → name."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names: dict[str, str] = {}

    async def name(self, court_id: str) -> str:
        """The name; an empty text for a court that is not there."""
        if court_id not in self._names:
            async with self._database.read() as connection:
                found = (await connection.execute(select(courts.c.name).where(courts.c.id == court_id))).scalar_one_or_none()
            if found is None:
                return ""
            self._names[court_id] = found
        return self._names[court_id]
