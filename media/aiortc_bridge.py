"""One DTLS-SRTP connection over ICE: the only module that imports aiortc, aioice and pylibsrtp.

aiortc's ORTC classes do ICE, DTLS and SRTP; RTP stays raw bytes. The private names used here are pinned by version in
pyproject.toml and named one by one in tests/contracts/aiortc_bridge_test.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aioice
import aioice.ice
import aioice.stun
import pylibsrtp
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.utils import random_string
from aiortc import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceTransport,
)

from media.sdp import TransportSide
from media.settings import Network

SOCKET_BUFFER_BYTES = 1 << 20  # a keyframe to many subscribers leaves in one burst
COMPONENT = 1  # RTP and RTCP share one ICE component (rtcp-mux, RFC 5761)
MAX_PACKET_BYTES = 1300  # pylibsrtp's buffer is 1500 with the trailer; paths carry 1200-1280


@dataclass(frozen=True, slots=True)
class Certificate:
    """A DTLS certificate of this process; its fingerprint goes into every description."""

    rtc: RTCCertificate = field(default_factory=RTCCertificate.generateCertificate)

    @property
    def fingerprint(self) -> str:
        sha256 = next(f for f in self.rtc.getFingerprints() if f.algorithm == "sha-256")
        return f"{sha256.algorithm} {sha256.value}"


class Endpoint:
    """One end of a connection. Both the server and the robots use it.

    `on_rtp(packet, arrival_ms)` and `on_rtcp(packet)` get decrypted bytes; arrival_ms is monotonic. `drop`, when set,
    sees every encrypted datagram and may lose it before decryption (a retransmission of a packet that was decrypted and
    then thrown away would be refused as a replay). `on_state` hears "connected", "failed" and "closed".
    """

    def __init__(self, controlling: bool, network: Network | None = None, certificate: Certificate | None = None) -> None:
        self.on_rtp: Callable[[bytes, float], None] = _ignore_rtp
        self.on_rtcp: Callable[[bytes], None] = _ignore_rtcp
        self.on_state: Callable[[str], None] = _ignore_state
        self.drop: Callable[[bytes], bool] | None = None
        self.state = "new"
        self.heard_ms = 0.0  # monotonic time of the last authenticated packet or consent
        self.undecryptable = 0
        self._certificate = certificate or Certificate()
        self._gatherer = RTCIceGatherer(iceServers=[])
        self._connection = _IceConnection(network or Network(), controlling)
        self._gatherer._connection = self._connection  # noqa: SLF001
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = _RawDtlsTransport(self._ice, [self._certificate.rtc])
        self._dtls.endpoint = self
        self._restart: tuple[str, str] | None = None
        self._pair: object | None = None
        self._decrypt: Callable[[bytes], bytes] | None = None
        self._decrypt_rtcp: Callable[[bytes], bytes]
        self._encrypt: Callable[[bytes], bytes]
        self._encrypt_rtcp: Callable[[bytes], bytes]
        self._sendto: Callable[[bytes, tuple[str, int]], None]
        self._remote_address: tuple[str, int]

    async def gather(self) -> None:
        """Open the sockets; `local` is complete afterwards. Raises OSError when no address can be bound."""
        await self._gatherer.gather()
        if not self._connection.local_candidates:
            raise OSError("no local address or port could be bound for media")

    @property
    def local(self) -> TransportSide:
        """What to write into this side's description (with the credentials of a begun ICE restart)."""
        ufrag, pwd = self._restart or (self._connection.local_username, self._connection.local_password)
        return TransportSide(
            ufrag, pwd, self._certificate.fingerprint, tuple(c.to_sdp() for c in self._connection.local_candidates)
        )

    async def start(self, remote: TransportSide, dtls_role: str, *, use_candidates: bool = True) -> None:
        """Connect: ICE, then DTLS as "client" or "server". Raises ConnectionError.

        `use_candidates=False` sends nothing to addresses named by the other side and learns its address from its checks
        (as an ICE-lite server does): mDNS names need no resolving and no one can point us at a third host.
        """
        self._set_state("connecting")
        if use_candidates:
            await self._add_candidates(remote.candidates)
        self._dtls._set_role(dtls_role)  # noqa: SLF001
        await self._ice.start(RTCIceParameters(usernameFragment=remote.ufrag, password=remote.pwd))
        if self._ice.state != "completed":
            self._set_state("failed")
            raise ConnectionError("ICE did not complete")
        algorithm, _, value = remote.fingerprint.partition(" ")
        await self._dtls.start(RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint(algorithm, value)]))
        if self._dtls.state != "connected":
            self._set_state("failed")
            raise ConnectionError("DTLS handshake failed")
        self._open_srtp()

    def _open_srtp(self) -> None:
        """Take the SRTP sessions over from aiortc: no coroutine, no queue, no parsing per packet."""
        rx, tx = self._dtls._rx_srtp, self._dtls._tx_srtp  # noqa: SLF001
        self._encrypt, self._encrypt_rtcp = tx.protect, tx.protect_rtcp
        self._decrypt_rtcp, self._decrypt = rx.unprotect_rtcp, rx.unprotect
        self._connection.on_media = self._datagram
        self.heard_ms = now_ms()
        self._dtls.on("statechange", self._dtls_changed)
        self._set_state("connected")

    async def _add_candidates(self, candidates: Sequence[str]) -> None:
        """Only UDP candidates with a literal address: mDNS names are found by the other side's own checks."""
        for text in candidates:
            with contextlib.suppress(ValueError):
                candidate = aioice.Candidate.from_sdp(text)
                ipaddress.ip_address(candidate.host)
                if candidate.transport.lower() == "udp" and candidate.component == COMPONENT:
                    await self._connection.add_remote_candidate(candidate)

    # --- packets ---------------------------------------------------------------------------

    def send_rtp(self, packet: bytes) -> bool:
        """Encrypt and send one RTP packet; False when there is no connection or the packet was refused."""
        if self.state != "connected":
            return False
        pair = self._connection.nominated_pair
        if pair is not self._pair and not self._use_pair(pair):
            return False
        try:
            self._sendto(self._encrypt(packet), self._remote_address)
        except (pylibsrtp.Error, ValueError, OSError):
            return False
        return True

    def send_rtcp(self, packet: bytes) -> bool:
        """Encrypt and send one (compound) RTCP packet."""
        pair = self._connection.nominated_pair
        if self.state != "connected" or (pair is not self._pair and not self._use_pair(pair)):
            return False
        try:
            self._sendto(self._encrypt_rtcp(packet), self._remote_address)
        except (pylibsrtp.Error, ValueError, OSError):
            return False
        return True

    def _use_pair(self, pair: object | None) -> bool:
        """Remember socket and address of the nominated pair: asking aioice for them costs as much as encrypting."""
        self._pair = pair
        if not isinstance(pair, aioice.ice.CandidatePair):
            return False
        self._sendto = pair.protocol.transport.sendto
        self._remote_address = pair.remote_addr
        return True

    def _datagram(self, data: bytes) -> None:
        """Decrypt one datagram of the SRTP range; anything that fails authentication is dropped and counted."""
        if self._decrypt is None or (self.drop is not None and self.drop(data)):
            return
        try:
            if 192 <= data[1] <= 223:  # RTCP packet types, RFC 5761 section 4
                packet = self._decrypt_rtcp(data)
                self.heard_ms = now_ms()
                self.on_rtcp(packet)
            else:
                packet = self._decrypt(data)
                self.heard_ms = arrival_ms = now_ms()
                self.on_rtp(packet, arrival_ms)
        except (pylibsrtp.Error, ValueError):
            self.undecryptable += 1

    # --- life ------------------------------------------------------------------------------

    async def probe(self) -> bool:
        """Ask the other side for consent now (RFC 7675) and tell whether it answered within half a second."""
        pair = self._connection.nominated_pair
        if pair is None or self._connection.remote_password is None:
            return False
        request = self._connection.build_request(pair, nominate=False)
        key = self._connection.remote_password.encode()
        try:
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=0)
        except (aioice.stun.TransactionError, OSError, AttributeError):  # AttributeError: the socket was closed meanwhile
            return False
        self.heard_ms = now_ms()
        return True

    def restart_ice(self) -> None:
        """Begin an ICE restart: `local` carries new credentials, in force once the other side has answered."""
        self._restart = (random_string(8), random_string(24))

    @property
    def restarting(self) -> bool:
        return self._restart is not None

    async def finish_restart(self, remote: TransportSide, *, use_candidates: bool = False) -> None:
        """Take the other side's new credentials; media goes on over the old pair until a new one is nominated."""
        if self._restart is not None:
            self._connection._local_username, self._connection._local_password = self._restart  # noqa: SLF001
            self._restart = None
        self._connection.remote_username, self._connection.remote_password = remote.ufrag, remote.pwd
        if use_candidates:
            await self._add_candidates(remote.candidates)

    async def close(self) -> None:
        """Say goodbye (DTLS close_notify) and free the sockets; may be called twice."""
        if self.state == "closed":
            return
        self._set_state("closed")
        self._decrypt = None
        await self._dtls.stop()
        await self._ice.stop()
        await self._connection.close()  # the sockets too when ICE was never started

    def _dtls_changed(self) -> None:
        if self._dtls.state in {"closed", "failed"} and self.state == "connected":
            self._set_state(self._dtls.state)

    def _set_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.on_state(state)


class _RawDtlsTransport(RTCDtlsTransport):
    """aiortc's DTLS transport with its RTP parsing replaced: packets queued during the handshake come this way."""

    endpoint: Endpoint

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        del arrival_time_ms
        self.endpoint.on_rtp(data, now_ms())

    async def _handle_rtcp_data(self, data: bytes) -> None:
        self.endpoint.on_rtcp(data)


class _IceConnection(aioice.Connection):
    """aioice's connection with our sockets (addresses, loopback, port range) and a short way in for media."""

    def __init__(self, network: Network, controlling: bool) -> None:
        super().__init__(ice_controlling=controlling)
        self.on_media: Callable[[bytes], None] | None = None
        self._network = network

    @property
    def nominated_pair(self) -> aioice.ice.CandidatePair | None:
        return self._nominated.get(COMPONENT)

    def data_received(self, data: bytes, component: int) -> None:
        if self.on_media is not None and len(data) > 1 and 127 < data[0] < 192:  # RFC 7983
            self.on_media(data)
        else:
            super().data_received(data, component)

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: int = 5,  # noqa: ASYNC109
    ) -> list[aioice.Candidate]:
        del timeout
        network = self._network
        wanted = list(network.addresses or addresses)
        if network.loopback and "127.0.0.1" not in wanted:
            wanted.append("127.0.0.1")
        found = []
        for preference, address in enumerate(wanted):
            protocol = await self._open_socket(address)
            if protocol is not None:
                protocol.local_candidate = self._candidate(protocol, component, preference)
                self._protocols.append(protocol)
                found.append(protocol.local_candidate)
        return found

    def _candidate(self, protocol: aioice.ice.StunProtocol, component: int, preference: int) -> aioice.Candidate:
        host, port = protocol.transport.get_extra_info("sockname")[:2]
        if self._network.public_address and host != "127.0.0.1":
            host = self._network.public_address
        return aioice.Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=component,
            transport="udp",
            priority=candidate_priority(component, "host", 65535 - preference),
            host=host,
            port=port,
            type="host",
        )

    async def _open_socket(self, address: str) -> aioice.ice.StunProtocol | None:
        """A socket on a free port of the range, or None when the address cannot be used."""
        loop = asyncio.get_running_loop()
        for port in self._ports():
            try:
                transport, protocol = await loop.create_datagram_endpoint(
                    lambda: aioice.ice.StunProtocol(self), local_addr=(address, port)
                )
            except OSError:
                continue
            udp = transport.get_extra_info("socket")
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
            return protocol
        return None

    def _ports(self) -> Sequence[int]:
        if self._network.ports is None:
            return (0,)
        low, high = self._network.ports
        first = low + self._id % (high - low + 1)  # spread, so that few binds fail when many are taken
        return (*range(first, high + 1), *range(low, first))


def now_ms() -> float:
    """Monotonic milliseconds: the arrival clock of packets."""
    return time.monotonic() * 1000.0


def _ignore_rtp(_packet: bytes, _arrival_ms: float) -> None: ...


def _ignore_rtcp(_packet: bytes) -> None: ...


def _ignore_state(_state: str) -> None: ...
