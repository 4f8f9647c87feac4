"""Settings of the exhibit registry."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evidence.previews import Limits


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """Limits of uploads. `upload_folder` holds files only while they are examined."""

    upload_folder: Path
    max_bytes: int = 50 * 1024 * 1024
    max_uploads_at_once: int = 3
    """Of one person."""
    reserve_bytes: int = 2 * 1024**3
    """Disk space that uploads leave alone: it is needed for what is being recorded."""
    limits: Limits = field(default_factory=Limits)
