"""One DTLS-SRTP connection over ICE: with aiortc_ice the only module that imports aiortc, aioice and pylibsrtp.

aiortc's ORTC classes do DTLS and SRTP; RTP stays raw bytes. The private names used here are pinned by version in
pyproject.toml and named one by one in tests/contracts/test_aiortc_bridge_privates.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pylibsrtp
import pylibsrtp._binding
from aiortc import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceTransport,
)

from media.aiortc_ice import IceConnection, read_candidates
from media.outlet import Outlet
from media.sdp import TransportSide
from media.settings import Network

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
    then thrown away would be refused as a replay). `on_state` hears "connected", "failed" and "closed", `on_path` that media
    now goes another way: what was learnt of the old path says nothing about it.
    """

    def __init__(self, controlling: bool, network: Network | None = None, certificate: Certificate | None = None) -> None:
        self.on_rtp: Callable[[bytes, float], None] = _ignore_rtp
        self.on_rtcp: Callable[[bytes], None] = _ignore_rtcp
        self.on_state: Callable[[str], None] = _ignore_state
        self.on_path: Callable[[], None] = _ignore_path
        self.drop: Callable[[bytes], bool] | None = None
        self.state = "new"
        self.heard_ms = 0.0  # monotonic time of the last authenticated packet or consent
        self.undecryptable = 0
        self._certificate = certificate or Certificate()
        self._gatherer = RTCIceGatherer(iceServers=[])
        self._connection = IceConnection(network or Network(), controlling)
        self._connection.on_path = self._path_changed
        self._gatherer._connection = self._connection  # noqa: SLF001
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = _RawDtlsTransport(self._ice, [self._certificate.rtc])
        self._dtls.endpoint = self
        self.outlet = Outlet()
        self._path: object | None = None
        self._restarting = False
        self._decrypt: Callable[[bytes], bytes]
        self._decrypt_rtcp: Callable[[bytes], bytes]
        self._encrypt: Callable[[bytes], bytes]
        self._encrypt_rtcp: Callable[[bytes], bytes]
        self._sendto: Callable[[bytes, tuple[str, int]], object] | None = None
        self._remote_address: tuple[str, int] = ("", 0)

    async def gather(self) -> None:
        """Open the sockets; `local` is complete afterwards. Raises OSError when no address can be bound."""
        await self._gatherer.gather()
        if not self._connection.local_candidates:
            raise OSError("no local address or port could be bound for media")

    @property
    def local(self) -> TransportSide:
        """What to write into this side's description (with the credentials of a begun ICE restart)."""
        ufrag, pwd = self._connection.credentials
        return TransportSide(
            ufrag, pwd, self._certificate.fingerprint, tuple(c.to_sdp() for c in self._connection.local_candidates)
        )

    async def start(self, remote: TransportSide, dtls_role: str, *, use_candidates: bool = True) -> None:
        """Connect: ICE, then DTLS as "client" or "server". Raises ConnectionError.

        `use_candidates=False` sends nothing to addresses named by the other side and learns its address from its checks
        (as an ICE-lite server does): mDNS names need no resolving and no one can point us at a third host.
        """
        self._set_state("connecting")
        self._connection.adopt_credentials()
        for candidate in read_candidates(remote.candidates) if use_candidates else ():
            await self._connection.add_remote_candidate(candidate)
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

    # --- packets ---------------------------------------------------------------------------

    def send_rtp(self, packet: bytes) -> bool:
        """Encrypt and send one RTP packet; False when there is no connection or the packet was refused."""
        if self._sendto is None:
            return False
        if len(packet) > MAX_PACKET_BYTES:
            self.outlet.refused += 1
            return False
        try:
            self._sendto(self._encrypt(packet), self._remote_address)
        except pylibsrtp.Error:
            self.outlet.refused += 1
        except OSError:  # BlockingIOError: the socket's buffer is full; a packet that waits is worth less than the next
            self.outlet.dropped += 1
        else:
            return True
        return False

    def send_rtcp(self, packet: bytes) -> bool:
        """Encrypt and send one (compound) RTCP packet."""
        if self._sendto is None:
            return False
        try:
            self._sendto(self._encrypt_rtcp(packet), self._remote_address)
        except (pylibsrtp.Error, ValueError, OSError):
            return False
        return True

    def _path_changed(self) -> None:
        """Socket and address of the nominated pair, kept ready; without one nothing is sent."""
        path = self._connection.path
        if path is None or self.state != "connected":
            self._shut()
            return
        if path is self._path:
            return
        moved, self._path = self._path is not None, path
        transport, self._remote_address = path.protocol.transport, path.remote_addr
        udp = getattr(transport, "_sock", None)
        if udp is None:  # a relay of the client's side wraps what it sends
            self.outlet.shut()
            self._sendto = transport.sendto
        else:
            self.outlet.open(_session_address(self._dtls._tx_srtp), self._dtls._tx_srtp, udp, path.remote_addr)  # noqa: SLF001
            self._sendto = udp.sendto
        if moved:
            self.on_path()

    def _shut(self) -> None:
        self.outlet.shut()
        self._sendto = self._path = None

    def _datagram(self, data: bytes) -> bool:
        """Decrypt one datagram of the SRTP range; anything that fails authentication is dropped and counted."""
        if len(data) < 2 or (self.drop is not None and self.drop(data)):
            return False
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
            return False
        return True

    # --- life ------------------------------------------------------------------------------

    async def probe(self) -> bool:
        """Ask the other side twice for consent (RFC 7675) and tell whether it answered within one and a half seconds."""
        answered = await self._connection.answers(self._connection.path, again=1)
        if answered:
            self.heard_ms = now_ms()
        return answered

    def restart_ice(self) -> None:
        """Begin an ICE restart: `local` carries new credentials, in force once the other side has answered."""
        self._restarting = True
        self._connection.begin_restart()

    @property
    def restarting(self) -> bool:
        return self._restarting

    async def regather(self) -> None:
        """Open new sockets on the addresses this machine has now, for an ICE restart after a change of network."""
        await self._connection.regather()

    async def finish_restart(self, remote: TransportSide, *, use_candidates: bool = False) -> None:
        """Take the other side's new credentials; media goes on over the old pair until a new one is nominated."""
        self._restarting = False
        candidates = read_candidates(remote.candidates) if use_candidates else []
        await self._connection.restart(remote.ufrag, remote.pwd, candidates)

    async def close(self) -> None:
        """Say goodbye (DTLS close_notify) and free the sockets; may be called twice."""
        if self.state == "closed":
            return
        self._connection.on_media = None
        self._shut()
        self._set_state("closed")
        await self._dtls.stop()
        await self._ice.stop()
        await self._connection.close()  # the sockets too when ICE was never started

    def _dtls_changed(self) -> None:
        if self._dtls.state in {"closed", "failed"} and self.state == "connected":
            self._set_state(self._dtls.state)

    def _set_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self._path_changed()
            self.on_state(state)


class _RawDtlsTransport(RTCDtlsTransport):
    """aiortc's DTLS transport with its RTP parsing replaced: packets queued during the handshake come this way."""

    endpoint: Endpoint

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        del arrival_time_ms
        self.endpoint.on_rtp(data, now_ms())

    async def _handle_rtcp_data(self, data: bytes) -> None:
        self.endpoint.on_rtcp(data)


def protect_address() -> int:
    """Where srtp_protect lies: the compiled loop must call the libsrtp that made the sessions, not another one."""
    ffi, lib = pylibsrtp._binding.ffi, pylibsrtp._binding.lib  # noqa: SLF001
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, "srtp_protect")))


def _session_address(session: pylibsrtp.Session) -> int:
    return int(pylibsrtp._binding.ffi.cast("uintptr_t", session._srtp[0]))  # noqa: SLF001


def now_ms() -> float:
    """Monotonic milliseconds: the arrival clock of packets."""
    return time.monotonic() * 1000.0


def _ignore_rtp(_packet: bytes, _arrival_ms: float) -> None: ...


def _ignore_rtcp(_packet: bytes) -> None: ...


def _ignore_state(_state: str) -> None: ...


def _ignore_path() -> None: ...
