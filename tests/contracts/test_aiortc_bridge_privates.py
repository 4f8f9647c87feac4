"""Every private name of aiortc, aioice, pylibsrtp and asyncio the bridge relies on, with the versions it was written for."""

import asyncio
import socket
from importlib.metadata import version

import aioice
import aioice.ice
import aioice.stun
import pylibsrtp
import pylibsrtp._binding
import pytest
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceGatherer, RTCIceTransport


def test_versions_are_the_pinned_ones() -> None:
    assert version("aiortc").startswith("1.16.")
    assert version("aioice").startswith("0.13.")
    assert version("pylibsrtp").startswith("1.0.")


@pytest.mark.parametrize(
    "name",
    [
        "add_remote_candidate", "build_request", "check_complete", "check_incoming", "check_start", "check_start_task", "close",
        "data_received", "get_component_candidates", "protocol_lost", "request_received",
    ],
)  # fmt: skip
def test_methods_of_the_ice_connection(name: str) -> None:
    assert callable(getattr(aioice.Connection, name))


async def test_fields_of_the_ice_connection() -> None:
    connection = aioice.Connection(ice_controlling=True)
    for name in ("_local_username", "_local_password", "_protocols", "_id"):
        assert hasattr(connection, name)
    assert connection.remote_username is None
    assert connection.remote_password is None
    assert connection.remote_is_lite is False
    assert connection._closing is False
    assert connection._early_checks_done is False
    assert connection._nominated == {}
    assert connection._nominating == set()
    assert connection._check_list == connection._remote_candidates == connection._local_candidates == []
    assert len(connection._early_checks) == connection._queue.qsize() == 0


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
    assert {"FROZEN", "SUCCEEDED"} <= set(aioice.ice.CandidatePair.State.__members__)


def test_the_function_and_the_session_the_compiled_loop_calls() -> None:
    ffi, lib = pylibsrtp._binding.ffi, pylibsrtp._binding.lib
    assert str(ffi.typeof(lib.srtp_protect)) == "<ctype 'srtp_err_status_t(*)(struct srtp_ctx_t_ *, void *, int *)'>"
    session = pylibsrtp.Session(pylibsrtp.Policy(key=bytes(30), ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND))
    assert int(ffi.cast("uintptr_t", session._srtp[0])) != 0


async def test_names_of_asyncio_datagram_transports() -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    assert isinstance(transport._sock, socket.socket)
    assert transport.max_size == 256 * 1024
    transport.close()
