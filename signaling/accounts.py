"""SQL of who may come in: courts, staff, sessions, personal links, failed sign-ins. Only hashes of tokens are stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import courts, links, participants, sessions, sign_in_failures, staff


@dataclass(frozen=True, slots=True)
class Court:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A member of the court's staff; `position` is judge | assessor | clerk | technician."""

    id: str
    court_id: str
    name: str
    position: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person: either staff or one participant of one hearing."""

    token_sha256: str
    court_id: str
    court_name: str
    staff_id: str | None
    participant_id: str | None
    name: str
    position: str  # "" for participants
    hearing_id: str | None  # participants only

    @property
    def subject(self) -> str:
        """Id written to the access log."""
        return self.staff_id or self.participant_id or ""


@dataclass(frozen=True, slots=True)
class Link:
    id: str
    court_id: str
    participant_id: str
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


async def all_courts(connection: AsyncConnection) -> list[Court]:
    rows = await connection.execute(select(courts.c.id, courts.c.name).order_by(courts.c.created_at, courts.c.id))
    return [Court(*row) for row in rows]


async def find_staff(connection: AsyncConnection, court_id: str, login: str) -> StaffMember | None:
    """The enabled member with this login, or None."""
    columns = (staff.c.id, staff.c.court_id, staff.c.name, staff.c.position, staff.c.password_hash)
    query = select(*columns).where(staff.c.court_id == court_id, staff.c.login == login, staff.c.disabled.is_(False))
    row = (await connection.execute(query)).one_or_none()
    return StaffMember(*row) if row else None


async def colleagues(connection: AsyncConnection, court_id: str) -> list[StaffMember]:
    columns = (staff.c.id, staff.c.court_id, staff.c.name, staff.c.position)
    query = (
        select(*columns)
        .where(staff.c.court_id == court_id, staff.c.disabled.is_(False))
        .order_by(staff.c.position, staff.c.login)
    )
    return [StaffMember(*row, password_hash="") for row in await connection.execute(query)]


# --- failed sign-ins ------------------------------------------------------------------------------


async def failures_since(connection: AsyncConnection, login: str, ip: str, since: datetime) -> tuple[int, int, int]:
    """Failed sign-ins of this login from this address, of this login from anywhere, of this address."""
    table = sign_in_failures
    own_login, own_ip = table.c.login == login, table.c.ip == ip
    counts = [
        (await connection.execute(select(func.count()).where(which, table.c.at >= since))).scalar_one()
        for which in (own_login & own_ip, own_login, own_ip)
    ]
    return counts[0], counts[1], counts[2]


async def add_failure(connection: AsyncConnection, login: str, ip: str, at: datetime) -> None:
    await connection.execute(insert(sign_in_failures).values(login=login, ip=ip, at=at))


async def clear_failures(connection: AsyncConnection, login: str, ip: str, before: datetime) -> None:
    """Forget this login's failures from this address after a success, and everything older than `before`."""
    table = sign_in_failures
    own = (table.c.login == login) & (table.c.ip == ip)
    await connection.execute(delete(table).where(or_(own, table.c.at < before)))


# --- sessions -------------------------------------------------------------------------------------


async def add_session(
    connection: AsyncConnection,
    token_sha256: str,
    court_id: str,
    subject: dict[str, str],
    times: tuple[datetime, datetime],
    ip: str,
    agent: str,
) -> None:
    """`subject` is {"staff_id": …} or {"participant_id": …}; `times` are creation and expiry."""
    created_at, expires_at = times
    await connection.execute(
        insert(sessions).values(
            token_sha256=token_sha256,
            court_id=court_id,
            created_at=created_at,
            expires_at=expires_at,
            ip=ip[:60],
            user_agent=agent[:300],
            **subject,
        )
    )


async def find_session(connection: AsyncConnection, token_sha256: str, now: datetime) -> Session | None:
    """The live session of a token: not expired, not revoked, its staff member not disabled."""
    query = (
        select(
            sessions.c.court_id, courts.c.name, sessions.c.staff_id, sessions.c.participant_id,
            func.coalesce(staff.c.name, participants.c.name), func.coalesce(staff.c.position, ""), participants.c.hearing_id,
        )
        .join(courts, courts.c.id == sessions.c.court_id)
        .outerjoin(staff, staff.c.id == sessions.c.staff_id)
        .outerjoin(participants, participants.c.id == sessions.c.participant_id)
        .where(
            sessions.c.token_sha256 == token_sha256, sessions.c.revoked_at.is_(None), sessions.c.expires_at > now,
            func.coalesce(staff.c.disabled, False).is_(False),
        )
    )  # fmt: skip
    row = (await connection.execute(query)).one_or_none()
    return Session(token_sha256, *row) if row else None


async def revoke_session(connection: AsyncConnection, token_sha256: str, now: datetime) -> None:
    await connection.execute(update(sessions).where(sessions.c.token_sha256 == token_sha256).values(revoked_at=now))


async def revoke_sessions_of_participant(connection: AsyncConnection, participant_id: str, now: datetime) -> list[str]:
    """Revoke all live sessions of a participant; their token hashes."""
    live = (sessions.c.participant_id == participant_id) & sessions.c.revoked_at.is_(None)
    hashes = list((await connection.execute(select(sessions.c.token_sha256).where(live))).scalars())
    await connection.execute(update(sessions).where(live).values(revoked_at=now))
    return hashes


async def ended_sessions(connection: AsyncConnection, token_hashes: list[str]) -> list[str]:
    """Those of these sessions that were revoked, or whose member of staff was disabled; not those that have only expired."""
    query = (
        select(sessions.c.token_sha256)
        .outerjoin(staff, staff.c.id == sessions.c.staff_id)
        .where(sessions.c.token_sha256.in_(token_hashes), or_(sessions.c.revoked_at.is_not(None), staff.c.disabled.is_(True)))
    )
    return list((await connection.execute(query)).scalars())


# --- personal links -------------------------------------------------------------------------------


async def add_link(
    connection: AsyncConnection,
    link_id: str,
    court_id: str,
    participant_id: str,
    token_sha256: str,
    created_at: datetime,
    expires_at: datetime,
) -> None:
    """A fresh link; the participant's older unused links are revoked."""
    await revoke_links(connection, participant_id, created_at)
    row = {"id": link_id, "court_id": court_id, "participant_id": participant_id, "token_sha256": token_sha256}
    await connection.execute(insert(links).values(**row, created_at=created_at, expires_at=expires_at))


async def revoke_links(connection: AsyncConnection, participant_id: str, now: datetime) -> None:
    unused = (links.c.participant_id == participant_id) & links.c.used_at.is_(None) & links.c.revoked_at.is_(None)
    await connection.execute(update(links).where(unused).values(revoked_at=now))


async def find_link(connection: AsyncConnection, token_sha256: str) -> Link | None:
    columns = (links.c.id, links.c.court_id, links.c.participant_id, links.c.expires_at, links.c.used_at, links.c.revoked_at)
    row = (await connection.execute(select(*columns).where(links.c.token_sha256 == token_sha256))).one_or_none()
    return Link(*row) if row else None


async def use_link(connection: AsyncConnection, link_id: str, now: datetime) -> bool:
    """Mark a link as used; False when another exchange was faster."""
    free = (links.c.id == link_id) & links.c.used_at.is_(None) & links.c.revoked_at.is_(None)
    return (await connection.execute(update(links).where(free).values(used_at=now))).rowcount == 1


async def latest_links(connection: AsyncConnection, participant_ids: list[str]) -> dict[str, Link]:
    """The newest link of each participant."""
    columns = (links.c.id, links.c.court_id, links.c.participant_id, links.c.expires_at, links.c.used_at, links.c.revoked_at)
    query = select(*columns).where(links.c.participant_id.in_(participant_ids)).order_by(links.c.created_at, links.c.id)
    return {link.participant_id: link for link in [Link(*row) for row in await connection.execute(query)]}


async def hearing_of(connection: AsyncConnection, participant_id: str) -> str | None:
    """The hearing a participant belongs to."""
    query = select(participants.c.hearing_id).where(participants.c.id == participant_id)
    return (await connection.execute(query)).scalar_one_or_none()
