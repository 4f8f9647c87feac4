"""The whole first schema, and the triggers that make the record append-only in the database itself."""

from __future__ import annotations

from alembic import op

from storage.migrations.frozen_0001 import metadata

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

APPEND_ONLY = ("ledger", "utterances", "revisions")

_SQLITE_REFUSE = """
CREATE TRIGGER {table}_refuse_{act} BEFORE {act} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
"""

# INSERT OR REPLACE deletes without asking the delete trigger where recursive_triggers is off, as it is by default.
_SQLITE_REFUSE_REPLACE = """
CREATE TRIGGER ledger_refuse_replace BEFORE INSERT ON ledger
WHEN EXISTS (SELECT 1 FROM ledger WHERE sitting_id = NEW.sitting_id AND number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END
"""

_POSTGRESQL_FUNCTION = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$
"""

_POSTGRESQL_REFUSE = (
    "CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER {table}_refuse_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
)


def upgrade() -> None:
    """Create every table, then the triggers."""
    connection = op.get_bind()
    metadata.create_all(connection)
    if connection.dialect.name == "sqlite":
        for table in APPEND_ONLY:
            for act in ("UPDATE", "DELETE"):
                op.execute(_SQLITE_REFUSE.format(table=table, act=act))
        op.execute(_SQLITE_REFUSE_REPLACE)
        return
    op.execute(_POSTGRESQL_FUNCTION)
    for table in APPEND_ONLY:
        for statement in _POSTGRESQL_REFUSE:
            op.execute(statement.format(table=table))


def downgrade() -> None:
    """Refuse: a court's record is not unmade by a migration."""
    raise NotImplementedError("the first schema holds the record and is never taken back; restore a backup instead")
