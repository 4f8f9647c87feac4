"""TURN with credentials that expire (draft-uberti-behave-turn-rest-00): the relay and we share a secret, browsers never see it.

The user name is `expiry:person` (Unix seconds, then the id of the participant or member of staff, never a name), the
password is base64(HMAC-SHA1(secret, user name)). coturn checks both with `use-auth-secret`. Credentials are made anew at
every join and every self-test, so that whoever holds a session can always come back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from signaling.protocol import IceServerView
from signaling.settings import SignalingSettings


@dataclass(frozen=True, slots=True)
class TurnCredential:
    """What one person shows to the relay until `expires_at`."""

    username: str
    password: str = field(repr=False)
    expires_at: datetime


def credential(secret: str, person_id: str, now: datetime, ttl: timedelta) -> TurnCredential:
    """A fresh credential for one person."""
    expires_at = now + ttl
    username = f"{int(expires_at.timestamp())}:{person_id}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()  # SHA-1 is what the scheme names
    return TurnCredential(username, base64.b64encode(digest).decode(), expires_at)


def ice_servers(settings: SignalingSettings, person_id: str, now: datetime) -> list[IceServerView]:
    """All STUN and TURN servers this person's browser may use now: the fixed ones, then the relay with fresh credentials."""
    servers = [IceServerView(urls=list(s.urls), username=s.username, credential=s.credential) for s in settings.ice_servers]
    if settings.turn_urls:
        made = credential(settings.turn_secret, person_id, now, timedelta(hours=settings.turn_ttl_hours))
        servers.append(IceServerView(urls=list(settings.turn_urls), username=made.username, credential=made.password))
    return servers
