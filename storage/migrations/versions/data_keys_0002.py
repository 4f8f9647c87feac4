"""Keys of objects at rest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "data_keys",
        sa.Column("object_key", sa.String(300), nullable=False),
        sa.Column("stored_key", sa.String(340), nullable=False),
        sa.Column("algorithm", sa.String(20), nullable=False),
        sa.Column("key_class", sa.String(20), nullable=False),
        sa.Column("wrapping_key", sa.String(60), nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=True),
        sa.Column("prefix", sa.LargeBinary, nullable=False),
        sa.Column("content_bytes", sa.BigInteger, nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("stored_sha256", sa.String(64), nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("object_key", name="pk_data_keys"),
    )


def downgrade() -> None:
    """Refuse: without its keys nothing at rest can be read again."""
    raise NotImplementedError("the keys of stored objects are never dropped; restore a backup instead")
