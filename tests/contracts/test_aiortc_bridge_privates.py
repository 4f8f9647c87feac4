"""Every private name of aiortc, aioice and pylibsrtp the bridge relies on, with the versions it was written for."""

import asyncio
from importlib.metadata import version

import aioice
import aioice.ice
import pylibsrtp
import pytest
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceGatherer, RTCIceTransport


def test_versions_are_the_pinned_ones() -> None:
    assert version("aiortc").startswith("1.16.")
    assert version("aioice").startswith("0.13.")
    assert version("pylibsrtp").startswith("1.0.")


@pytest.mark.parametrize("name", ["data_received", "get_component_candidates", "build_request", "close"])
def test_methods_of_the_ice_connection(name: str) -> None:
    assert callable(getattr(aioice.Connection, name))


async def test_fields_of_the_ice_connection() -> None:
    connection = aioice.Connection(ice_controlling=True)
    for name in ("_local_username", "_local_password", "_nominated", "_protocols", "_id"):
        assert hasattr(connection, name)
    assert connection.remote_username is None
    assert connection.remote_password is None


async def test_the_gatherer_hands_its_connection_to_the_transport() -> None:
    gatherer = RTCIceGatherer(iceServers=[])
    replaced = aioice.Connection(ice_controlling=True)
    gatherer._connection = replaced
    assert RTCIceTransport(gatherer)._connection is replaced


async def test_names_of_the_dtls_transport() -> None:
    transport = RTCDtlsTransport(RTCIceTransport(RTCIceGatherer(iceServers=[])), [RTCCertificate.generateCertificate()])
    assert transport._rx_srtp is None
    assert transport._tx_srtp is None
    for name in ("_set_role", "_handle_rtp_data", "_handle_rtcp_data"):
        assert callable(getattr(transport, name))
    assert asyncio.iscoroutinefunction(transport._handle_rtp_data)


def test_names_of_srtp_sessions_and_pairs() -> None:
    for name in ("protect", "protect_rtcp", "unprotect", "unprotect_rtcp"):
        assert callable(getattr(pylibsrtp.Session, name))
    assert isinstance(aioice.ice.CandidatePair.remote_addr, property)
    assert callable(aioice.ice.StunProtocol.request)
