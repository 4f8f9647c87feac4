"""The whole schema on one page. Times are aware UTC; every row carries its court; JSON columns hold typed documents."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out, on both databases (SQLite keeps no zone). Raises ValueError on a naive time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  as the base has it
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[str]:
    return Column("id", String(40), primary_key=True)


def _court() -> Column[str]:
    return Column("court_id", ForeignKey("courts.id"), nullable=False)


def _at(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, UtcDateTime(), nullable=nullable)


courts = Table("courts", metadata, _id(), Column("name", String(100), nullable=False), _at("created_at"))

staff = Table(
    "staff", metadata, _id(), _court(),
    Column("login", String(60), nullable=False), Column("name", String(60), nullable=False),
    Column("position", String(30), nullable=False),  # judge | assessor | clerk | technician
    Column("password_hash", String(200), nullable=False), Column("disabled", Boolean, nullable=False, default=False),
    Unique("court_id", "login"),
)  # fmt: skip

sessions = Table(
    "sessions", metadata,
    Column("token_sha256", String(64), primary_key=True), _court(),
    Column("staff_id", ForeignKey("staff.id")), Column("participant_id", ForeignKey("participants.id")),
    _at("created_at"), _at("expires_at"), _at("revoked_at", nullable=True),
    Column("ip", String(60), nullable=False), Column("user_agent", String(300), nullable=False),
)  # fmt: skip

links = Table(
    "links", metadata, _id(), _court(),
    Column("participant_id", ForeignKey("participants.id"), nullable=False), Column("token_sha256", String(64), nullable=False, unique=True),
    _at("created_at"), _at("expires_at"), _at("used_at", nullable=True), _at("revoked_at", nullable=True),
)  # fmt: skip

sign_in_failures = Table(
    "sign_in_failures", metadata, Column("id", Integer, primary_key=True, autoincrement=True),
    Column("login", String(60), nullable=False, index=True), Column("ip", String(60), nullable=False, index=True), _at("at"),
)  # fmt: skip

hearings = Table(
    "hearings", metadata, _id(), _court(),
    Column("case_number", String(60), nullable=False), Column("cause", String(100), nullable=False), Column("title", String(200), nullable=False),
    Column("procedure", String(30), nullable=False), Column("public", Boolean, nullable=False), Column("courtroom", String(60), nullable=False),
    _at("scheduled_at"), _at("created_at"), Column("created_by", ForeignKey("staff.id")),
    Index("ix_hearings_court_day", "court_id", "scheduled_at"),
)  # fmt: skip

participants = Table(
    "participants", metadata, _id(), _court(),
    Column("hearing_id", ForeignKey("hearings.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False), Column("role", String(30), nullable=False), Column("name", String(60), nullable=False),
    Column("label", String(10), nullable=False), Column("represents", ForeignKey("participants.id")), Column("staff_id", ForeignKey("staff.id")),
    Column("self_test", JSON), _at("self_tested_at", nullable=True),
)  # fmt: skip

sittings = Table(
    "sittings", metadata, _id(), _court(),
    Column("hearing_id", ForeignKey("hearings.id"), nullable=False, index=True), Column("number", Integer, nullable=False),
    Column("state", String(30), nullable=False, index=True), Column("version", Integer, nullable=False),  # = ledger number; compare-and-swap
    Column("document", JSON, nullable=False),  # the whole Sitting, derived from the ledger
    Column("media_worker_url", String(200)), _at("opened_at", nullable=True), _at("closed_at", nullable=True),
    Column("sealed_manifest_sha256", String(64)), _at("sealed_at", nullable=True),
    Unique("hearing_id", "number"),
)  # fmt: skip

ledger = Table(
    "ledger", metadata,  # append-only: triggers refuse UPDATE, DELETE (and TRUNCATE on PostgreSQL)
    Column("sitting_id", ForeignKey("sittings.id"), primary_key=True), Column("number", Integer, primary_key=True), _court(),
    Column("entry", LargeBinary, nullable=False),  # the exact canonical JSON bytes that are hashed
    Column("salt", LargeBinary, nullable=False), Column("entry_hash", String(64), nullable=False), Column("chain_hash", String(64), nullable=False),
)  # fmt: skip

commands = Table(
    "commands", metadata,  # deduplication of client commands, in the transaction of the act
    Column("sitting_id", ForeignKey("sittings.id"), primary_key=True), Column("command_id", String(64), primary_key=True), _court(),
    Column("number", Integer, nullable=False), _at("at"),
)  # fmt: skip

exhibits = Table(
    "exhibits", metadata, _id(), _court(),
    Column("hearing_id", ForeignKey("hearings.id"), nullable=False, index=True), Column("side", String(30), nullable=False),  # plaintiff | defendant | third_party | court
    Column("ordinal", Integer, nullable=False), Column("number", String(30), nullable=False),  # 原告证据1
    Column("title", String(200), nullable=False), Column("purpose", String(500), nullable=False), Column("file_name", String(200), nullable=False),
    Column("media_type", String(60), nullable=False), Column("bytes", Integer, nullable=False), Column("pages", Integer, nullable=False),
    Column("sha256", String(64), nullable=False), Column("sm3", String(64), nullable=False), Column("object_key", String(300), nullable=False),
    Column("submitted_by", ForeignKey("participants.id"), nullable=False), _at("submitted_at"),
    Unique("hearing_id", "side", "ordinal"), Unique("hearing_id", "sha256"),
)  # fmt: skip

showings = Table(
    "showings", metadata, _id(), _court(),  # one page of an exhibit on everybody's screen
    Column("sitting_id", ForeignKey("sittings.id"), nullable=False, index=True), Column("exhibit_id", ForeignKey("exhibits.id"), nullable=False, index=True),
    Column("page", Integer, nullable=False), Column("presenter_id", ForeignKey("participants.id"), nullable=False),
    Column("t0_ms", Integer, nullable=False), Column("t1_ms", Integer),
)  # fmt: skip

segments = Table(
    "segments", metadata, _court(),
    Column("sitting_id", ForeignKey("sittings.id"), primary_key=True), Column("track_id", String(60), primary_key=True), Column("index", Integer, primary_key=True),
    Column("participant_id", ForeignKey("participants.id"), nullable=False), Column("kind", String(10), nullable=False), Column("codec", String(20), nullable=False),
    Column("t0_ms", Integer, nullable=False), Column("t1_ms", Integer, nullable=False), _at("started_at"), Column("bytes", Integer, nullable=False),
    Column("sha256", String(64), nullable=False), Column("sm3", String(64), nullable=False), Column("prev_sha256", String(64), nullable=False),
    Column("object_key", String(300), nullable=False), Column("packets", Integer, nullable=False), Column("lost_packets", Integer, nullable=False),
    Column("filled_ms", Integer, nullable=False), Column("muted_ms", Integer, nullable=False), Column("closed_by", String(20), nullable=False),
    Column("access", String(20), nullable=False, default="parties", server_default="parties"),  # class at recording (S21)
)  # fmt: skip

track_ends = Table(
    "track_ends", metadata, _court(),
    Column("sitting_id", ForeignKey("sittings.id"), primary_key=True), Column("track_id", String(60), primary_key=True),
    Column("segments", Integer, nullable=False), Column("last_sha256", String(64), nullable=False),
)  # fmt: skip

utterances = Table(
    "utterances", metadata, Column("id", String(90), primary_key=True), _court(),
    Column("sitting_id", ForeignKey("sittings.id"), nullable=False, index=True), Column("participant_id", ForeignKey("participants.id"), nullable=False),
    Column("track_id", String(60), nullable=False), Column("t0_ms", Integer, nullable=False), Column("t1_ms", Integer, nullable=False),
    Column("text", Text, nullable=False), Column("raw_text", Text, nullable=False), Column("confidence", Float, nullable=False),
    Column("words", JSON, nullable=False), Column("engine", JSON, nullable=False), Column("origin", String(20), nullable=False), _at("created_at"),
    Column("marks", JSON, nullable=False, default=[], server_default="[]"), Column("version", Integer, nullable=False, default=0, server_default="0"),  # 0: live draft
    Column("level_db", Float),  # loudness of the voice, dB below full scale: tells bleed from speech
)  # fmt: skip

transcript_versions = Table(
    "transcript_versions", metadata, _id(), _court(),  # final passes (终稿识别) of a sitting; version 0, the live draft, has no row
    Column("sitting_id", ForeignKey("sittings.id"), nullable=False, index=True), Column("number", Integer, nullable=False),
    Column("engine", JSON, nullable=False), Column("state", String(20), nullable=False),  # waiting | running | done | failed
    Column("problem", Text, nullable=False, default="", server_default=""), Column("requested_by", ForeignKey("participants.id")),
    Column("done_to", JSON, nullable=False, default={}, server_default="{}"),  # track → t_ms up to which its recording is read
    Column("bleed", JSON, nullable=False, default=[], server_default="[]"),  # lines that another track's line tells already, and which
    _at("created_at"), _at("finished_at", nullable=True), Unique("sitting_id", "number"),
)  # fmt: skip

revisions = Table(
    "revisions", metadata, _id(), _court(),  # clerk's corrections as operations; the machine line is never overwritten
    Column("utterance_id", ForeignKey("utterances.id"), nullable=False, index=True), Column("sitting_id", ForeignKey("sittings.id"), nullable=False, index=True),
    Column("operation", JSON, nullable=False), Column("author_id", ForeignKey("participants.id"), nullable=False), _at("at"),
)  # fmt: skip

jobs = Table(
    "jobs", metadata, _id(), _court(),
    Column("kind", String(30), nullable=False), Column("payload", JSON, nullable=False), Column("state", String(20), nullable=False, index=True),  # waiting | running | done | failed
    Column("attempts", Integer, nullable=False, default=0), _at("not_before_at"), _at("lease_until_at", nullable=True), _at("created_at"), _at("finished_at", nullable=True),
    Column("problem", Text, nullable=False, default=""), Column("progress", Float, nullable=False, default=0.0, server_default="0"),  # 0 … 1
)  # fmt: skip

access_log = Table(
    "access_log", metadata, Column("id", Integer, primary_key=True, autoincrement=True), _court(),  # every play, read, export
    Column("hearing_id", ForeignKey("hearings.id"), nullable=False, index=True), Column("session_subject", String(40), nullable=False),
    Column("what", String(40), nullable=False), Column("ip", String(60), nullable=False), _at("at"),
    Column("sitting_id", String(40), nullable=False, default="", server_default=""),  # of a replay: which sitting,
    Column("view_id", String(40), nullable=False, default="", server_default=""),  # which opening of its page,
    Column("t0_ms", Integer), Column("t1_ms", Integer),  # and which stretch of the record clock
)  # fmt: skip

data_keys = Table(
    "data_keys", metadata,  # one key per object at rest, wrapped; without this row the object cannot be read by anybody
    Column("object_key", String(300), primary_key=True), Column("stored_key", String(340), nullable=False),  # name in the stores
    Column("algorithm", String(20), nullable=False), Column("key_class", String(20), nullable=False), Column("wrapping_key", String(60), nullable=False),
    Column("wrapped", LargeBinary, nullable=True), Column("prefix", LargeBinary, nullable=False),  # wrapped: null once destroyed
    Column("content_bytes", BigInteger, nullable=False), Column("content_sha256", String(64), nullable=False), Column("stored_sha256", String(64), nullable=False, default=""),
    _at("reserved_at"), _at("stored_at", nullable=True), _at("destroyed_at", nullable=True),
    Column("ruling", String(500), nullable=False, default="", server_default=""),  # by which the key was destroyed
)  # fmt: skip

access_orders = Table(
    "access_orders", metadata, _id(), _court(),  # another access class after the fact, by ruling (AV-16); the newest counts
    Column("sitting_id", ForeignKey("sittings.id"), nullable=False, index=True), Column("track_id", String(60), nullable=False),  # "": every track
    Column("t0_ms", Integer, nullable=False), Column("t1_ms", Integer, nullable=False), Column("access", String(20), nullable=False),
    Column("ruling", String(500), nullable=False), Column("ordered_by", ForeignKey("participants.id"), nullable=False), _at("at"),
)  # fmt: skip

holds = Table(
    "holds", metadata, _id(), _court(),  # 保全、上诉: nothing of the hearing's record may be destroyed while one stands
    Column("hearing_id", ForeignKey("hearings.id"), nullable=False, index=True), Column("reason", String(500), nullable=False),
    Column("placed_by", ForeignKey("staff.id"), nullable=False), _at("placed_at"),
    Column("lifted_by", ForeignKey("staff.id")), _at("lifted_at", nullable=True), Column("lift_reason", String(500), nullable=False, default="", server_default=""),
)  # fmt: skip

destructions = Table(
    "destructions", metadata, _id(), _court(),  # 销毁记录 of a hearing's record: ordered by one person, approved by another (a33)
    Column("hearing_id", ForeignKey("hearings.id"), nullable=False, index=True),
    Column("order_number", String(100), nullable=False), Column("reason", String(500), nullable=False),
    Column("state", String(20), nullable=False),  # ordered | approved | shredded (keys and lines are gone) | done (stores are cleared)
    Column("ordered_by", ForeignKey("staff.id"), nullable=False), _at("ordered_at"),
    Column("approved_by", ForeignKey("staff.id")), _at("approved_at", nullable=True), _at("shredded_at", nullable=True), _at("finished_at", nullable=True),
    Column("objects", Integer, nullable=False, default=0), Column("bytes", BigInteger, nullable=False, default=0), Column("lines", Integer, nullable=False, default=0),
    Column("done_to", String(300), nullable=False, default="", server_default=""),  # object key up to which the stores are cleared
    Column("left", JSON, nullable=False, default={}, server_default="{}"),  # store → objects that it did not let go: unreadable, to be removed by its owner
    Unique("hearing_id", "order_number"),
)  # fmt: skip

stamps = Table(
    "stamps", metadata, _id(), _court(),  # RFC 3161 time stamps; append-only. subject: ledger (its head) | manifest (number 0)
    Column("sitting_id", ForeignKey("sittings.id"), nullable=False, index=True), Column("number", Integer, nullable=False),
    Column("chain_hash", String(64), nullable=False), Column("authority", String(200), nullable=False),
    Column("token", LargeBinary, nullable=False), _at("at"), Column("subject", String(20), nullable=False, default="ledger", server_default="ledger"),
)  # fmt: skip

statements = Table(
    "statements", metadata, _id(), _court(),  # 起止与中断情况记录 (AV-3), 故障说明 (AV-4): drafted from the ledger, then confirmed and signed
    Column("sitting_id", ForeignKey("sittings.id"), nullable=False, index=True), Column("kind", String(20), nullable=False),
    Column("document", JSON, nullable=False), Column("sha256", String(64), nullable=False), Column("state", String(20), nullable=False),  # drafted | confirmed | signed
    _at("drafted_at"), Column("confirmed_by", ForeignKey("participants.id")), _at("confirmed_at", nullable=True),
    Column("signed_by", ForeignKey("participants.id")), _at("signed_at", nullable=True),
)  # fmt: skip

checks = Table(
    "checks", metadata, _id(), _court(),  # each verification of what is stored of a sitting (A10)
    Column("sitting_id", ForeignKey("sittings.id"), nullable=False, index=True), _at("started_at"), _at("finished_at", nullable=True),
    Column("objects", Integer, nullable=False, default=0), Column("healed", Integer, nullable=False, default=0),
    Column("state", String(20), nullable=False), Column("problems", JSON, nullable=False),  # running | whole | healed | damaged
    Column("origin", String(20), nullable=False, default="", server_default=""),  # sealing | schedule | fault | command: who asked
    Column("done_to", String(300), nullable=False, default="", server_default=""),  # object key up to which a running one has come
)  # fmt: skip

copy_faults = Table(
    "copy_faults", metadata, _id(), _court(),  # a copy that was not what was stored; the row stays when it is healed
    Column("object_key", String(300), nullable=False, index=True), Column("store", String(1), nullable=False),  # A | B
    Column("fault", String(20), nullable=False), _at("noticed_at"), _at("healed_at", nullable=True),  # missing | damaged | unreadable
    Column("note", String(500), nullable=False, default="", server_default=""),  # where the damaged copy was set aside, or why it is not healed
)  # fmt: skip

films = Table(
    "films", metadata, _id(), _court(),  # 合成录像 of a sealed sitting; another one for each new set of access orders
    Column("sitting_id", ForeignKey("sittings.id"), nullable=False, index=True), Column("recipe", String(64), nullable=False),  # record.film_store
    Column("object_key", String(300), nullable=False), Column("size_bytes", BigInteger, nullable=False), Column("sha256", String(64), nullable=False),
    Column("duration_ms", Integer, nullable=False), Column("statement", LargeBinary, nullable=False),  # what it was made from: canonical JSON
    Column("signature", LargeBinary, nullable=False), _at("made_at"), Unique("sitting_id", "recipe"),
)  # fmt: skip

hearing_words = Table(
    "hearing_words", metadata, _id(), _court(),  # words that the clerk typed for recognition (识别词表, C18); every change a row, the newest counts
    Column("hearing_id", ForeignKey("hearings.id"), nullable=False, index=True), Column("words", JSON, nullable=False),
    Column("author_id", ForeignKey("staff.id"), nullable=False), _at("at"),
)  # fmt: skip
