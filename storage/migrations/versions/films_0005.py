"""The films of sealed sittings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "films",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("court_id", sa.String(40), sa.ForeignKey("courts.id", name="fk_films_court_id"), nullable=False),
        sa.Column(
            "sitting_id", sa.String(40), sa.ForeignKey("sittings.id", name="fk_films_sitting_id"), nullable=False, index=True
        ),
        sa.Column("recipe", sa.String(64), nullable=False),
        sa.Column("object_key", sa.String(300), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("duration_ms", sa.Integer, nullable=False),
        sa.Column("statement", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("sitting_id", "recipe", name="uq_films_sitting_id_recipe"),
    )


def downgrade() -> None:
    op.drop_table("films")
