"""aioice's connection with our sockets, a short way in for media, ICE restart and roaming (RFC 8445, RFC 7675).

With aiortc_bridge the only module that imports aioice; the private names used are pinned by
tests/contracts/test_aiortc_bridge_privates.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import struct
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import aioice
import aioice.ice
import aioice.stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.utils import random_string

from media.allowance import Allowance
from media.settings import Network
from media.sockets import bind, candidate_address, usable_addresses

COMPONENT = 1  # RTP and RTCP share one ICE component (rtcp-mux, RFC 5761)
DATAGRAM_BYTES = 2048  # asyncio would set a quarter of a megabyte aside for each datagram
KEPT_GENERATIONS = 3  # credentials still answered: the present ones, those of a restart under way, and the last ones
HELD_CHECKS = 32  # checks that came before the answer which makes their credentials valid
STUN_PER_S = 100  # requests from addresses that carry no media: more is dropped unread
WAITING_DATAGRAMS = 64  # of a handshake
KNOWN_ADDRESSES = 64
MOST_PAIRS = 100  # RFC 8445 section 6.1.2.5
CHECK_PACING_S = 0.02  # Ta of RFC 8445 section 14.2
RETIRE_AFTER_S = 3.0  # an old socket hears what is still on its way
ROAM_EVERY_MS = 1_000.0
ASKED_TIMES, ASK_AGAIN_S = 3, 0.15

Address = tuple[str, int]


class MediaSocket(aioice.ice.StunProtocol):
    """aioice's protocol that tells datagrams apart by their first byte (RFC 7983) and so parses only STUN as STUN."""

    receiver: IceConnection

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        assert isinstance(data, bytes)
        first = data[0] if data else 0
        if 127 < first < 192:
            self.receiver.media_received(data, (addr[0], addr[1]), self)
        elif first < 4:
            if self.receiver.admits_check((addr[0], addr[1])):
                with contextlib.suppress(struct.error, ValueError, IndexError):  # aioice's reader trusts attribute lengths
                    super().datagram_received(data, addr)
        elif 19 < first < 64:
            self.receiver.handshake_received(data, (addr[0], addr[1]))


class IceConnection(aioice.Connection):
    """`on_media` gets every datagram of the SRTP range and says whether it was authentic; `on_path` hears that the
    nominated pair has changed, or is none any more and its socket about to be closed.
    """

    def __init__(self, network: Network, controlling: bool) -> None:
        super().__init__(ice_controlling=controlling)
        self.on_media: Callable[[bytes], bool] | None = None
        self.on_path: Callable[[], None] = lambda: None
        self._network = network
        self._generations = {self._local_username: self._local_password}
        self._next: str | None = None  # user fragment of a begun restart
        self._held: deque[tuple[aioice.stun.Message, Address, aioice.ice.StunProtocol]] = deque(maxlen=HELD_CHECKS)
        self._settled = False  # whether this generation has a nominated pair
        self._nominating.add(COMPONENT)  # aioice is not to nominate at its own time: see check_start
        self._known: set[Address] = set()
        self._path_address: Address | None = None
        self._checks = Allowance(STUN_PER_S, burst=STUN_PER_S)
        self._retired: list[aioice.ice.StunProtocol] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._roamed_ms = -ROAM_EVERY_MS

    @property
    def path(self) -> aioice.ice.CandidatePair | None:
        """The nominated pair."""
        return self._nominated.get(COMPONENT)

    @property
    def credentials(self) -> tuple[str, str]:
        """User fragment and password to write into a description: those of a begun restart, else the present ones."""
        ufrag = self._next or self._local_username
        return ufrag, self._generations[ufrag]

    # --- datagrams in ----------------------------------------------------------------------

    def media_received(self, data: bytes, address: Address, via: MediaSocket) -> None:
        """Media is accepted from any address, being authenticated; from a new one it is a reason to look at the paths."""
        if self.on_media is None:
            self._wait_for_reader(data)
        elif self.on_media(data) and address != self._path_address:
            self._look_elsewhere(address, via)

    def handshake_received(self, data: bytes, address: Address) -> None:
        """DTLS, only from addresses that have proved to know our password: a stranger could break a handshake."""
        if address in self._known:
            self._wait_for_reader(data)

    def data_received(self, data: bytes, component: int) -> None:
        """What looked like STUN and is none."""

    def _wait_for_reader(self, data: bytes) -> None:
        if self._queue.qsize() < WAITING_DATAGRAMS:
            self._queue.put_nowait((data, COMPONENT))

    def admits_check(self, address: Address) -> bool:
        return address == self._path_address or self._checks.take(1, time.monotonic() * 1000.0)

    def request_received(self, message: aioice.stun.Message, addr: Address, protocol: aioice.ice.StunProtocol) -> None:
        """A check with credentials that are not yet or no longer in force is answered too: descriptions travel slower."""
        ufrag = str(message.attributes.get("USERNAME", "")).partition(":")[0]
        password = self._generations.get(ufrag)
        if ufrag == self._local_username or password is None or self._closing:
            super().request_received(message, addr, protocol)
        elif "MESSAGE-INTEGRITY" in message.attributes and message.check_message_integrity(password.encode()):
            response = aioice.stun.Message(
                message.message_method, aioice.stun.Class.RESPONSE, transaction_id=message.transaction_id
            )
            response.attributes["XOR-MAPPED-ADDRESS"] = addr
            response.add_message_integrity(password.encode())
            protocol.send_stun(response, addr)
            if ufrag == self._next:
                self._held.append((message, addr, protocol))

    def check_incoming(self, message: aioice.stun.Message, addr: Address, protocol: aioice.ice.StunProtocol) -> None:
        """An authentic check of the present generation."""
        if len(self._known) < KNOWN_ADDRESSES:
            self._known.add(addr)
        if "PRIORITY" in message.attributes and self._has_room_for(addr, protocol):
            super().check_incoming(message, addr, protocol)
            if addr != self._path_address:
                self._look_elsewhere(addr, protocol)

    def _has_room_for(self, address: Address, via: aioice.ice.StunProtocol) -> bool:
        """Each new address costs a check of our own: someone who knows the password must not have us send them without end."""
        pairs = self._check_list
        if len(pairs) < MOST_PAIRS or any(pair.protocol is via and pair.remote_addr == address for pair in pairs):
            return True
        for pair in [pair for pair in pairs if pair.state is aioice.ice.CandidatePair.State.FAILED]:
            pairs.remove(pair)
            self._remote_candidates = [c for c in self._remote_candidates if c is not pair.remote_candidate]
        return len(pairs) < MOST_PAIRS

    # --- paths -----------------------------------------------------------------------------

    async def check_start(self, pair: aioice.ice.CandidatePair) -> None:
        """While a generation has no path the first check that succeeds makes one; later checks only prove that they can."""
        self.remote_is_lite = self._settled  # how aioice is told to leave USE-CANDIDATE out; read before its first await
        await super().check_start(pair)

    def check_complete(self, pair: aioice.ice.CandidatePair) -> None:
        if pair.state is aioice.ice.CandidatePair.State.SUCCEEDED and len(self._known) < KNOWN_ADDRESSES:
            self._known.add(pair.remote_addr)
        super().check_complete(pair)
        self._path_changed()

    def _path_changed(self) -> None:
        path = self.path
        if path is not None and path in self._check_list:
            self._settled = True
            if self._retired:
                self._spawn(self._close_retired())
        self._path_address = None if path is None else path.remote_addr
        self.on_path()

    def _look_elsewhere(self, address: Address, via: aioice.ice.StunProtocol) -> None:
        """The other side sends from elsewhere: its address translator has moved it, or it has changed the path."""
        now_ms = time.monotonic() * 1000.0
        if self.ice_controlling and self._settled and now_ms - self._roamed_ms > ROAM_EVERY_MS:
            self._roamed_ms = now_ms
            self._spawn(self._roam(address, via))

    async def _roam(self, address: Address, via: aioice.ice.StunProtocol) -> None:
        """Follow to `address` when the present path is dead and the new one answers: never on the word of a sender alone."""
        old = self.path
        new = next((p for p in self._check_list if p.protocol is via and p.remote_addr == address), None)
        new = new or aioice.ice.CandidatePair(via, _reflexive(address))
        alive, valid = await asyncio.gather(self._answers_at_all(old), self._answers_at_all(new))
        if alive or not valid or self.path is not old or self._closing:
            return
        if await self.answers(new, nominate=True, again=2) and self.path is old and not self._closing:
            if new not in self._check_list:
                self._check_list.append(new)
                self._remote_candidates.append(new.remote_candidate)
            new.nominated, new.state = True, aioice.ice.CandidatePair.State.SUCCEEDED
            self.check_complete(new)

    async def _answers_at_all(self, pair: aioice.ice.CandidatePair | None) -> bool:
        """Ask a few times in quick succession: one lost datagram is no dead path."""

        async def ask(n: int) -> bool:
            await asyncio.sleep(n * ASK_AGAIN_S)
            return await self.answers(pair)

        return any(await asyncio.gather(*map(ask, range(ASKED_TIMES))))

    async def answers(self, pair: aioice.ice.CandidatePair | None, *, nominate: bool = False, again: int = 0) -> bool:
        """Ask over a pair for consent (RFC 7675), or nominate it; False when no answer has come half a second later.

        Each `again` repeats the question and doubles the wait.
        """
        if pair is None or self.remote_password is None or pair.protocol.transport.is_closing():
            return False
        request, key = self.build_request(pair, nominate=nominate), self.remote_password.encode()
        try:
            _, source = await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=again)
        except (aioice.stun.TransactionError, OSError):
            return False
        return source == pair.remote_addr  # RFC 8445 section 7.2.5.2.1

    # --- restart ---------------------------------------------------------------------------

    def begin_restart(self) -> None:
        """New credentials, answered from now on and in force with `restart` (RFC 8445 section 9)."""
        self._next = random_string(8)
        self._generations[self._next] = random_string(24)
        stale = [u for u in self._generations if u not in {self._local_username, self._next}]
        for ufrag in stale[: max(0, len(self._generations) - KEPT_GENERATIONS)]:
            del self._generations[ufrag]
        self._held.clear()

    def adopt_credentials(self) -> None:
        """Put the credentials of a begun restart in force."""
        if self._next is not None:
            self._local_username, self._local_password = self._next, self._generations[self._next]
            self._next = None
        if not self._early_checks_done:
            self._early_checks.extend(self._held)
            self._held.clear()

    async def restart(self, ufrag: str, pwd: str, candidates: Sequence[aioice.Candidate]) -> None:
        """Forget all pairs and check anew; media goes on over the old path until a new one is nominated."""
        self.adopt_credentials()
        for pair in self._check_list:
            if pair.task is not None:
                pair.task.cancel()
        self._check_list.clear()
        self._remote_candidates.clear()
        self.remote_username, self.remote_password, self._settled = ufrag, pwd, False
        for candidate in candidates:
            await self.add_remote_candidate(candidate)
        self._spawn(self._check_all())
        held = tuple(self._held)
        self._held.clear()
        for message, addr, via in held:
            if str(message.attributes["USERNAME"]).endswith(f":{ufrag}"):
                self.check_incoming(message, addr, via)

    async def _check_all(self) -> None:
        for pair in tuple(self._check_list):
            if pair in self._check_list and pair.state is aioice.ice.CandidatePair.State.FROZEN:
                self.check_start_task(pair)
                await asyncio.sleep(CHECK_PACING_S)

    async def regather(self) -> None:
        """Open sockets on the addresses the machine has now; the old ones stay open until a new path is nominated."""
        old = self._protocols[:]
        self._protocols.clear()
        addresses = aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True)
        self._local_candidates = await self.get_component_candidates(COMPONENT, addresses)
        self._retired += old

    async def _close_retired(self) -> None:
        retired = tuple(self._retired)
        await asyncio.sleep(RETIRE_AFTER_S)
        for socket in retired:
            if socket in self._retired and (self.path is None or self.path.protocol is not socket):
                self._retired.remove(socket)
                await socket.close()

    # --- sockets ---------------------------------------------------------------------------

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: int = 5,  # noqa: ASYNC109
    ) -> list[aioice.Candidate]:
        del timeout
        loop, found = asyncio.get_running_loop(), []
        for preference, address in enumerate(usable_addresses(self._network, addresses)):
            udp = bind(address, self._network.ports, spread=self._id)
            if udp is None:
                continue
            host = candidate_address(self._network, address)
            transport, protocol = await loop.create_datagram_endpoint(lambda: MediaSocket(self), sock=udp)
            transport.max_size = DATAGRAM_BYTES  # type: ignore[attr-defined]  # asyncio's own, unlisted
            protocol.local_candidate = _host_candidate(host, udp.getsockname()[1], component, preference)
            self._protocols.append(protocol)
            found.append(protocol.local_candidate)
            if self._closing:  # closed meanwhile: close() did not see this socket
                await protocol.close()
                return []
        return found

    def protocol_lost(self, protocol: aioice.ice.StunProtocol) -> None:
        """Called before the file descriptor is closed."""
        path = self.path
        if path is not None and path.protocol is protocol:
            del self._nominated[COMPONENT]
            self._queue.put_nowait(None)
        self._path_changed()

    async def close(self) -> None:
        self._path_address, self._closing = None, True
        self._nominated.clear()
        self.on_path()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._protocols += self._retired
        self._retired = []
        await super().close()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _host_candidate(host: str, port: int, component: int, preference: int) -> aioice.Candidate:
    return aioice.Candidate(
        foundation=candidate_foundation("host", "udp", host),
        component=component,
        transport="udp",
        priority=candidate_priority(component, "host", 65535 - preference),
        host=host,
        port=port,
        type="host",
    )


def _reflexive(address: Address) -> aioice.Candidate:
    """A candidate learnt from a datagram (RFC 8445 section 7.3.1.3)."""
    host, port = address
    priority = candidate_priority(COMPONENT, "prflx")
    return aioice.Candidate(random_string(10), COMPONENT, "udp", priority, host, port, "prflx")


def read_candidates(texts: Sequence[str]) -> list[aioice.Candidate]:
    """Only UDP candidates with a literal address: mDNS names are found by the other side's own checks."""
    found = []
    for text in texts:
        with contextlib.suppress(ValueError):
            candidate = aioice.Candidate.from_sdp(text)
            ipaddress.ip_address(candidate.host)
            if candidate.transport.lower() == "udp" and candidate.component == COMPONENT:
                found.append(candidate)
    return found
