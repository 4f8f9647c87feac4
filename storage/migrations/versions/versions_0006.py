"""Marks on machine lines, and versions of a transcript."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("utterances", sa.Column("marks", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("utterances", sa.Column("version", sa.Integer, nullable=False, server_default="0"))
    op.add_column("utterances", sa.Column("level_db", sa.Float))
    op.create_table(
        "transcript_versions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column(
            "court_id", sa.String(40), sa.ForeignKey("courts.id", name="fk_transcript_versions_court_id"), nullable=False
        ),
        sa.Column(
            "sitting_id",
            sa.String(40),
            sa.ForeignKey("sittings.id", name="fk_transcript_versions_sitting_id"),
            nullable=False,
            index=True,
        ),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("engine", sa.JSON, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("problem", sa.Text, nullable=False, server_default=""),
        sa.Column("requested_by", sa.String(40), sa.ForeignKey("participants.id", name="fk_transcript_versions_requested_by")),
        sa.Column("done_to", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("bleed", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("sitting_id", "number", name="uq_transcript_versions_sitting_id_number"),
    )


def downgrade() -> None:
    op.drop_table("transcript_versions")
    op.drop_column("utterances", "level_db")
    op.drop_column("utterances", "version")
    op.drop_column("utterances", "marks")
