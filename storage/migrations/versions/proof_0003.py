"""Access classes, time stamps, statements of course and fault, verifications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def _at(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _of_a_sitting(table: str) -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("court_id", sa.String(40), sa.ForeignKey("courts.id", name=f"fk_{table}_court_id"), nullable=False),
        sa.Column(
            "sitting_id", sa.String(40), sa.ForeignKey("sittings.id", name=f"fk_{table}_sitting_id"), nullable=False, index=True
        ),
    )


def _person(table: str, name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.String(40), sa.ForeignKey("participants.id", name=f"fk_{table}_{name}"), nullable=nullable)


def upgrade() -> None:
    op.add_column("segments", sa.Column("access", sa.String(20), nullable=False, server_default="parties"))
    op.add_column("data_keys", sa.Column("ruling", sa.String(500), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("progress", sa.Float, nullable=False, server_default="0"))
    _access_log()
    _access_orders()
    _stamps()
    _statements()
    _checks()
    _copy_faults()


def _access_log() -> None:
    for name in ("sitting_id", "view_id"):
        op.add_column("access_log", sa.Column(name, sa.String(40), nullable=False, server_default=""))
    for name in ("t0_ms", "t1_ms"):
        op.add_column("access_log", sa.Column(name, sa.Integer, nullable=True))


def _access_orders() -> None:
    op.create_table(
        "access_orders",
        *_of_a_sitting("access_orders"),
        sa.Column("track_id", sa.String(60), nullable=False),
        sa.Column("t0_ms", sa.Integer, nullable=False),
        sa.Column("t1_ms", sa.Integer, nullable=False),
        sa.Column("access", sa.String(20), nullable=False),
        sa.Column("ruling", sa.String(500), nullable=False),
        _person("access_orders", "ordered_by", nullable=False),
        _at("at"),
    )


def _stamps() -> None:
    op.create_table(
        "stamps",
        *_of_a_sitting("stamps"),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("chain_hash", sa.String(64), nullable=False),
        sa.Column("authority", sa.String(200), nullable=False),
        sa.Column("token", sa.LargeBinary, nullable=False),
        _at("at"),
    )


def _statements() -> None:
    op.create_table(
        "statements",
        *_of_a_sitting("statements"),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        _at("drafted_at"),
        _person("statements", "confirmed_by"),
        _at("confirmed_at", nullable=True),
        _person("statements", "signed_by"),
        _at("signed_at", nullable=True),
    )


def _checks() -> None:
    op.create_table(
        "checks",
        *_of_a_sitting("checks"),
        _at("started_at"),
        _at("finished_at", nullable=True),
        sa.Column("objects", sa.Integer, nullable=False),
        sa.Column("healed", sa.Integer, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("problems", sa.JSON, nullable=False),
        sa.Column("origin", sa.String(20), nullable=False, server_default=""),
        sa.Column("done_to", sa.String(300), nullable=False, server_default=""),
    )


def _copy_faults() -> None:
    op.create_table(
        "copy_faults",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("court_id", sa.String(40), sa.ForeignKey("courts.id", name="fk_copy_faults_court_id"), nullable=False),
        sa.Column("object_key", sa.String(300), nullable=False, index=True),
        sa.Column("store", sa.String(1), nullable=False),
        sa.Column("fault", sa.String(20), nullable=False),
        _at("noticed_at"),
        _at("healed_at", nullable=True),
        sa.Column("note", sa.String(500), nullable=False, server_default=""),
    )


def downgrade() -> None:
    """Refuse: rulings, stamps and signed statements are part of the record."""
    raise NotImplementedError("what proves a record is never dropped; restore a backup instead")
