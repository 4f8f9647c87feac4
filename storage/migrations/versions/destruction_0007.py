"""Lawful destruction: holds, orders, and lines that may go under an approved order alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

LINES = ("utterances", "revisions")
_APPROVED = """EXISTS (SELECT 1 FROM destructions JOIN sittings ON sittings.hearing_id = destructions.hearing_id
WHERE sittings.id = OLD.sitting_id AND destructions.state = 'approved')"""

_SQLITE = """
CREATE TRIGGER {table}_refuse_DELETE BEFORE DELETE ON {table} WHEN NOT {approved}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
"""
_POSTGRESQL_FUNCTION = """
CREATE FUNCTION refuse_change_but_destruction() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
IF TG_OP = 'DELETE' AND {approved} THEN RETURN OLD; END IF;
RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""
_POSTGRESQL = """
CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION refuse_change_but_destruction()
"""


def _text(name: str, length: int, **more: object) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), **{"nullable": False, **more})  # type: ignore[arg-type]


def _to(name: str, table: str, target: str, *, nullable: bool = False, index: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey(f"{target}.id", name=f"fk_{table}_{name}")
    return sa.Column(name, sa.String(40), key, nullable=nullable, index=index)


def _at(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "holds", _text("id", 40, primary_key=True), _to("court_id", "holds", "courts"),
        _to("hearing_id", "holds", "hearings", index=True), _text("reason", 500), _to("placed_by", "holds", "staff"),
        _at("placed_at"), _to("lifted_by", "holds", "staff", nullable=True), _at("lifted_at", nullable=True),
        _text("lift_reason", 500, server_default=""),
    )  # fmt: skip
    table = "destructions"
    op.create_table(
        table, _text("id", 40, primary_key=True), _to("court_id", table, "courts"),
        _to("hearing_id", table, "hearings", index=True), _text("order_number", 100), _text("reason", 500), _text("state", 20),
        _to("ordered_by", table, "staff"), _at("ordered_at"), _to("approved_by", table, "staff", nullable=True),
        _at("approved_at", nullable=True), _at("shredded_at", nullable=True), _at("finished_at", nullable=True),
        sa.Column("objects", sa.Integer, nullable=False, server_default="0"),
        sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("lines", sa.Integer, nullable=False, server_default="0"),
        _text("done_to", 300, server_default=""), sa.Column("left", sa.JSON, nullable=False, server_default="{}"),
        sa.UniqueConstraint("hearing_id", "order_number", name="uq_destructions_hearing_id_order_number"),
    )  # fmt: skip
    _let_lines_go()


def _let_lines_go() -> None:
    """Lines of speech are deleted under an approved order, and otherwise never; they are still never changed."""
    if op.get_bind().dialect.name == "sqlite":
        for table in LINES:
            op.execute(f"DROP TRIGGER {table}_refuse_DELETE")
            op.execute(_SQLITE.format(table=table, approved=_APPROVED))
        return
    op.execute(_POSTGRESQL_FUNCTION.format(approved=_APPROVED))
    for table in LINES:
        op.execute(f"DROP TRIGGER {table}_refuse_change ON {table}")
        op.execute(_POSTGRESQL.format(table=table))


def downgrade() -> None:
    """Refuse: what was destroyed, and by whose order, stays written down."""
    raise NotImplementedError("records of destruction are never dropped; restore a backup instead")
