"""Relay credentials that expire: the user name and password coturn computes from the same secret, fresh for each person."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path

from signaling.settings import IceServer, SignalingSettings
from signaling.turn import credential, ice_servers

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
URLS = ("turn:turn.court.cn:3478", "turns:turn.court.cn:443?transport=tcp")


def settings(**changes: object) -> SignalingSettings:
    made = {
        "base_url": "https://court.cn",
        "internal_token": "t",
        "media_urls": ("http://m",),
        "web_root": Path("dist"),
        **changes,
    }
    return SignalingSettings(**made)


def test_the_user_name_is_the_expiry_and_the_persons_id() -> None:
    made = credential("north", "p_01", NOON, timedelta(hours=12))
    assert made.username == f"{int(NOON.timestamp()) + 12 * 3600}:p_01"
    assert made.expires_at == NOON + timedelta(hours=12)


def test_the_password_is_the_keyed_hash_that_coturn_computes() -> None:
    made = credential("north", "p_01", NOON, timedelta(hours=1))
    assert base64.b64decode(made.password) == hmac.new(b"north", made.username.encode(), hashlib.sha1).digest()
    assert credential("south", "p_01", NOON, timedelta(hours=1)).password != made.password


def test_a_later_join_gets_later_credentials() -> None:
    ours = settings(turn_urls=URLS, turn_secret="north", turn_ttl_hours=2)
    first, second = (ice_servers(ours, "p_01", at)[-1] for at in (NOON, NOON + timedelta(hours=3)))
    assert first.username != second.username
    assert first.credential != second.credential


def test_fixed_servers_stay_and_the_relay_comes_last() -> None:
    fixed = IceServer(("stun:stun.court.cn",))
    servers = ice_servers(settings(ice_servers=(fixed,), turn_urls=URLS, turn_secret="north"), "p_01", NOON)
    assert [server.urls for server in servers] == [["stun:stun.court.cn"], list(URLS)]
    assert servers[0].credential is None


def test_without_a_relay_there_are_no_credentials() -> None:
    assert ice_servers(settings(), "p_01", NOON) == []


def test_neither_secret_nor_password_shows_in_a_representation() -> None:
    assert "north" not in repr(settings(turn_urls=URLS, turn_secret="north"))
    made = credential("north", "p_01", NOON, timedelta(hours=1))
    assert made.password not in repr(made)
