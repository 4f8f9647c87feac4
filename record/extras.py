"""Who adds files to a sitting's folder after it was sealed. To add some: write an ExtraItems function and name it here."""

from __future__ import annotations

from record.film_store import film_items
from record.package_items import ExtraItems
from record.stamping import later_stamps
from record.statement_jobs import statement_items
from record.transcript_versions import version_items

EXTRAS: tuple[ExtraItems, ...] = (later_stamps, statement_items, film_items, version_items)
