"""Words that the clerk types for the recognition of a hearing (识别词表)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None


def _to(name: str, target: str, *, index: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey(f"{target}.id", name=f"fk_hearing_words_{name}")
    return sa.Column(name, sa.String(40), key, nullable=False, index=index)


def upgrade() -> None:
    op.create_table(
        "hearing_words",
        sa.Column("id", sa.String(40), primary_key=True),
        _to("court_id", "courts"),
        _to("hearing_id", "hearings", index=True),
        sa.Column("words", sa.JSON, nullable=False),
        _to("author_id", "staff"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("hearing_words")
