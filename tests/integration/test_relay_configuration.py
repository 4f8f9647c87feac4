"""deploy/turnserver.conf with a real coturn: it starts, takes our credentials, and reaches the media host alone."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import ssl
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from aioice.stun import TransactionFailed
from aioice.turn import create_turn_endpoint

from signaling.turn import credential
from storage.clock import SystemClock
from tests.rehearsing import ROOT
from tests.servers import Relay, relay_of

EXAMPLE = ROOT / "deploy" / "turnserver.conf"
MEDIA_HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def deployed() -> Iterator[Relay]:
    """The example with its blanks filled in. Loopback stands for the media host, which tests alone may allow."""

    def fill(values: dict[str, Any]) -> str:
        text = EXAMPLE.read_text(encoding="utf-8")
        for old, new in {
            "<ADDRESS OF THIS HOST>": "127.0.0.1", "<FILE: CERTIFICATE CHAIN>": values["cert"], "<SECRET>": values["secret"],
            "<FILE: PRIVATE KEY>": values["key"], "<turn.court.example>": "court.local",
            "<ADDRESS THAT THE MEDIA HOST TELLS BROWSERS>": MEDIA_HOST,
            "listening-port=3478": f"listening-port={values['port']}", "tls-listening-port=443": f"tls-listening-port={values['tls_port']}",
        }.items():  # fmt: skip
            assert old in text
            text = text.replace(old, str(new))
        assert not re.search(r"^[^#]*<", text, re.MULTILINE), "a blank was not filled in"
        return text + f"allow-loopback-peers\nuserdb={values['folder']}/turndb\npidfile={values['folder']}/pid\n"

    with relay_of(fill) as relay:
        yield relay


class Nothing(asyncio.DatagramProtocol):
    """Whoever receives nothing."""


@contextlib.asynccontextmanager
async def allocation(relay: Relay, *, secret: str | None = None, age: timedelta = timedelta(), transport: str = "udp") -> Any:
    """A relayed address; raises TransactionFailed when the relay refuses. The client checks the certificate."""
    made = credential(secret or relay.secret, "p_1", SystemClock().now() - age, timedelta(hours=1))
    tls = transport == "tls"
    context = ssl.create_default_context(cafile=str(relay.certificate)) if tls else False
    endpoint, _ = await create_turn_endpoint(
        Nothing, server_addr=("localhost" if tls else "127.0.0.1", relay.tls_port if tls else relay.port),
        username=made.username, password=made.password, ssl=context, transport="udp" if transport == "udp" else "tcp",
    )  # fmt: skip
    try:
        yield endpoint
    finally:
        endpoint.close()
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_our_credentials_are_taken(deployed: Relay, transport: str) -> None:
    async with allocation(deployed, transport=transport) as endpoint:
        host, port = endpoint.get_extra_info("sockname")
        assert host == "127.0.0.1"
        assert 49_160 <= port <= 50_759


@pytest.mark.parametrize("wrong", [{"secret": "another"}, {"age": timedelta(hours=2)}], ids=["secret", "expired"])
async def test_other_credentials_are_not(deployed: Relay, wrong: dict[str, Any]) -> None:
    with pytest.raises(TransactionFailed) as refused:
        async with allocation(deployed, **wrong):
            pass
    assert refused.value.response.attributes["ERROR-CODE"][0] == 401


FORBIDDEN = 403
_CHANNELS = itertools.count(0x4000)


async def answer_to(endpoint: Any, address: str) -> int | None:
    """The relay's error code for sending to this peer, None when it would (ChannelBind, RFC 8656 section 12)."""
    try:
        await endpoint._TurnTransport__inner_protocol.channel_bind(next(_CHANNELS), (address, 40_000))
    except TransactionFailed as refused:
        return int(refused.response.attributes["ERROR-CODE"][0])
    return None


async def test_only_the_media_host_is_reached(deployed: Relay) -> None:
    async with allocation(deployed) as endpoint:
        assert await answer_to(endpoint, MEDIA_HOST) is None
        for other in ("10.0.0.1", "192.168.1.1", "172.16.0.9", "169.254.169.254", "127.0.0.2", "8.8.8.8"):
            assert await answer_to(endpoint, other) == FORBIDDEN, other


def test_the_secret_is_not_in_the_relays_command_line(deployed: Relay) -> None:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "turnserver" in listing
    assert deployed.secret not in listing
