"""Stamps of a manifest beside those of a ledger; what proves a record is append-only in the database itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

_ALWAYS = ("stamps", "access_orders")

_SQLITE = """
CREATE TRIGGER {table}_refuse_{act} BEFORE {act} ON {table} {when}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
"""
_POSTGRESQL = """
CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {when} EXECUTE FUNCTION refuse_change()
"""
_POSTGRESQL_TRUNCATE = """
CREATE TRIGGER {table}_refuse_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.add_column("stamps", sa.Column("subject", sa.String(20), nullable=False, server_default="ledger"))
    rules = dict.fromkeys(_ALWAYS, "") | {"statements": "WHEN (OLD.state = 'signed')"}  # a draft may still be written anew
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table, when in rules.items():
        if sqlite:
            for act in ("UPDATE", "DELETE"):
                op.execute(_SQLITE.format(table=table, act=act, when=when))
        else:
            op.execute(_POSTGRESQL.format(table=table, when=when))
            op.execute(_POSTGRESQL_TRUNCATE.format(table=table))


def downgrade() -> None:
    """Refuse: what proves a record stays as it was written."""
    raise NotImplementedError("what proves a record is never dropped; restore a backup instead")
