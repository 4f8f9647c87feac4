"""Who is at the door: sign-in of staff, exchange of personal links, sessions, CSRF tokens.

A token is 256 random bits, shown once; the database holds its sha256 only. The CSRF token is derived from the session
token, so that a page can only know it when the server told it (double submit would need a second cookie).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hearing.timeline import Clock
from signaling import accounts
from signaling.accounts import Court, Session
from signaling.error_codes import Refused
from signaling.settings import SignalingSettings
from storage.database import Database
from storage.ids import new_id

FAILURE_WINDOW = timedelta(minutes=15)
FAILURES_PER_LOGIN = 5
"""Of one login from one address: nobody can lock a judge out from elsewhere by guessing wrong."""
FAILURES_PER_LOGIN_ANYWHERE = 50
FAILURES_PER_IP = 20
"""Higher than per login: the people of one court office share one address."""

HASHING_AT_ONCE = 2
"""Each argon2 verification takes 64 MiB (RFC 9106, second recommended option) and a thread."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from."""

    ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Admission:
    """A fresh session. `token` goes into the cookie; `closed` are the token hashes of sessions this one replaced."""

    token: str
    session: Session
    closed: tuple[str, ...] = ()


def sha256_of(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()  # a header may hold any bytes


def hash_password(password: str) -> str:
    """The argon2id hash that stands in the staff table."""
    return PasswordHasher().hash(password)


def csrf_of(token: str) -> str:
    """CSRF token of a session token; one-way, so a leaked one opens nothing."""
    return hmac.new(token.encode(), b"court csrf", hashlib.sha256).hexdigest()


class Authentication:
    """The one place that creates and ends sessions."""

    def __init__(self, settings: SignalingSettings, database: Database, clock: Clock) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._hasher = PasswordHasher()
        self._dummy_hash = self._hasher.hash(secrets.token_hex(16))
        self._hashing = asyncio.Semaphore(HASHING_AT_ONCE)

    async def court(self) -> Court | None:
        """The court served at this address; None when several live here and no setting names one."""
        async with self._database.read() as connection:
            known = await accounts.all_courts(connection)
        if self._settings.court_id is not None:
            return next((court for court in known if court.id == self._settings.court_id), None)
        return known[0] if len(known) == 1 else None

    async def sign_in(self, login: str, password: str, origin: Origin) -> Admission:
        """Staff sign-in. Where an address serves several courts the login is written `name@court_id`.

        Raises sign_in_failed (never saying which half was wrong) and sign_in_throttled.
        """
        now = self._clock.now()
        court_id, name = await self._account(login)
        key = f"{name}@{court_id}"[:60]  # however it was written, an account has one count
        await self._reserve_attempt(key, origin.ip, now)
        async with self._database.read() as connection:
            member = await accounts.find_staff(connection, court_id, name)
        if not await self._verify(member.password_hash if member else self._dummy_hash, password) or member is None:
            raise Refused("sign_in_failed")
        async with self._database.transaction() as connection:
            await accounts.clear_failures(connection, key, origin.ip, now - FAILURE_WINDOW)
        return await self._admit(member.court_id, {"staff_id": member.id}, origin)

    async def _reserve_attempt(self, login: str, ip: str, now: datetime) -> None:
        """Count the attempt before the slow hash, so that parallel guesses cannot slip past the limit."""
        async with self._database.transaction() as connection:
            here, anywhere, of_ip = await accounts.failures_since(connection, login, ip, now - FAILURE_WINDOW)
            if here >= FAILURES_PER_LOGIN or anywhere >= FAILURES_PER_LOGIN_ANYWHERE or of_ip >= FAILURES_PER_IP:
                raise Refused("sign_in_throttled")
            await accounts.add_failure(connection, login, ip, now)

    async def _account(self, login: str) -> tuple[str, str]:
        """Court and name of a login; the court is "" where this address does not serve it, and nobody is found then."""
        name, _, court_id = login.strip().lower()[:60].partition("@")
        court = await self.court()
        if court is not None and court_id in ("", court.id):
            return court.id, name
        return ("" if self._settings.court_id is not None else court_id), name

    async def _verify(self, password_hash: str, password: str) -> bool:
        def check() -> bool:
            try:
                return self._hasher.verify(password_hash, password)
            except (VerificationError, InvalidHashError):
                return False

        async with self._hashing:
            return await asyncio.to_thread(check)

    async def exchange(self, token: str, current: Session | None, origin: Origin) -> Admission | None:
        """Exchange a personal link for a session; the participant's older sessions end.

        None when the link was used before by the very session that asks again (a reload of the link page).
        Raises link_unknown, link_used, link_expired, link_revoked.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            link = await accounts.find_link(connection, sha256_of(token))
            if link is None or (self._settings.court_id is not None and link.court_id != self._settings.court_id):
                raise Refused("link_unknown")
            if link.used_at is not None and current is not None and current.participant_id == link.participant_id:
                return None
            if link.revoked_at is not None:
                raise Refused("link_revoked")
            if link.used_at is not None:
                raise Refused("link_used")
            if link.expires_at <= now:
                raise Refused("link_expired")
            if not await accounts.use_link(connection, link.id, now):
                raise Refused("link_used")
            closed = await accounts.revoke_sessions_of_participant(connection, link.participant_id, now)
        return await self._admit(link.court_id, {"participant_id": link.participant_id}, origin, tuple(closed))

    async def _admit(self, court_id: str, subject: dict[str, str], origin: Origin, closed: tuple[str, ...] = ()) -> Admission:
        now = self._clock.now()
        token = secrets.token_urlsafe(32)
        times = (now, now + timedelta(hours=self._settings.session_hours))
        async with self._database.transaction() as connection:
            await accounts.add_session(connection, sha256_of(token), court_id, subject, times, origin.ip, origin.user_agent)
            session = await accounts.find_session(connection, sha256_of(token), now)
        if session is None:
            raise Refused("not_signed_in")
        return Admission(token, session, closed)

    async def session(self, token: str) -> Session | None:
        """The live session of a cookie, or None."""
        if not token:
            return None
        async with self._database.read() as connection:
            found = await accounts.find_session(connection, sha256_of(token), self._clock.now())
        if found is not None and self._settings.court_id not in (None, found.court_id):
            return None
        return found

    async def sign_out(self, session: Session) -> None:
        async with self._database.transaction() as connection:
            await accounts.revoke_session(connection, session.token_sha256, self._clock.now())

    async def new_link(self, court_id: str, participant_id: str) -> tuple[str, datetime]:
        """A fresh link's address and expiry; older unused links of the participant are revoked."""
        now = self._clock.now()
        token, expires_at = secrets.token_urlsafe(32), now + timedelta(days=self._settings.link_days)
        async with self._database.transaction() as connection:
            await accounts.add_link(connection, new_id("link"), court_id, participant_id, sha256_of(token), now, expires_at)
        return f"{self._settings.base_url}/j/{token}", expires_at

    async def revoke_access(self, participant_id: str) -> tuple[str, ...]:
        """Revoke a participant's unused links and live sessions; the token hashes of the ended sessions."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await accounts.revoke_links(connection, participant_id, now)
            return tuple(await accounts.revoke_sessions_of_participant(connection, participant_id, now))
