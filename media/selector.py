"""Who gets which picture and whose sound, in one courtroom: gathers what the pages show, the estimates and who speaks, and
tells the forwarder what each client wants. The rules are in allocation.py, viewer.py and speaking.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from hearing.audience import Kind
from hearing.model import ParticipantId
from media.allocation import CROWD, FULL_SIZE_PX, HIDDEN, PAUSED, Demand, Layer, useful
from media.control import LayerChoice
from media.estimate import DownEstimate, Probe
from media.layers import BEST
from media.peer import Peer
from media.sfu import Forwarder, Track
from media.speaking import LoudestFew, RecentSpeakers
from media.viewer import Costs, Viewer

CHOOSE_MS = 500.0
URGENT_MS = 100.0
LOUDEST = 3  # voices of a crowd beside bench and floor holder
SCREEN_RANK, SPEAKER_RANK, OTHER_RANK = 0, 900, 1_000  # prominent people are ranked between, in their order
HURRY = 0.9  # an estimate below this share of what was sent is not left waiting


class _Seat:
    """One client: what its page shows and what it gets. `tiles` None: the page has said nothing."""

    def __init__(self, peer: Peer, now_ms: float) -> None:
        self.peer = peer
        self.begin_path(peer.down.estimate, now_ms)
        self.tiles: Mapping[str, int] | None = None
        self.told: dict[str, str | None] = {}  # what the forwarder was told to send, by track id
        self.reported: tuple[LayerChoice, ...] = ()
        self.chose_ms = 0.0
        self.padded_ms = now_ms

    def begin_path(self, estimate: DownEstimate, now_ms: float) -> None:
        """Nothing is known of the way its media goes now."""
        self.estimate, self.viewer, self.probe = estimate, Viewer(now_ms), Probe()


class Selector:
    """`on_chosen(peer, choices)` hears of every change of what a client is shown."""

    def __init__(
        self, forwarder: Forwarder, last_n: int, crowd_above: int, on_chosen: Callable[[Peer, tuple[LayerChoice, ...]], None]
    ) -> None:
        self.prominent: tuple[ParticipantId, ...] = ()
        self._forwarder = forwarder
        self._last_n = last_n
        self._crowd_above = crowd_above
        self._on_chosen = on_chosen
        self._seats: dict[str, _Seat] = {}
        self._costs = Costs()
        self._costed_ms = 0.0
        self._recent = RecentSpeakers()
        self._few = LoudestFew(LOUDEST)
        self._heard: object = None  # what the forwarder was last told of sound: whose (None: everyone's), to whom, which tracks

    def set_view(self, peer: Peer, tiles: Mapping[str, int], now_ms: float) -> None:
        """What this client's page shows from now on."""
        seat = self._seat(peer, now_ms)
        seat.tiles, seat.chose_ms = dict(tiles), 0.0

    def forget(self, peer: Peer) -> None:
        """The client has gone: whoever comes in its place has not been decided for."""
        seat = self._seats.pop(peer.peer_id, None)
        if seat is not None:
            for track in self._forwarder.tracks.values():
                if track.track_id in seat.told:
                    track.undecide(peer.participant_id)

    def decide(self, peer: Peer, now_ms: float) -> None:
        """At once for this client: it may get other tracks now."""
        seat = self._seat(peer, now_ms)
        if peer.is_connected:
            self._choose(peer, seat, now_ms)

    def decide_all(self, now_ms: float) -> None:
        """At once for everyone: other people may be seen now, or a layer has come, whose first packet is a keyframe's."""
        for seat in tuple(self._seats.values()):
            self.decide(seat.peer, now_ms)

    def _seat(self, peer: Peer, now_ms: float) -> _Seat:
        seat = self._seats.get(peer.peer_id)
        if seat is None:
            seat = self._seats[peer.peer_id] = _Seat(peer, now_ms)
        elif seat.estimate is not peer.down.estimate:
            seat.begin_path(peer.down.estimate, now_ms)
        return seat

    # --- time ------------------------------------------------------------------------------

    def tick(self, peers: Collection[Peer], now_ms: float) -> None:
        """Called every few tens of milliseconds."""
        self._hear(peers)
        if now_ms - self._costed_ms >= CHOOSE_MS:
            self._costed_ms = now_ms
            self._measure(peers, now_ms)
        for peer in peers:
            if not peer.is_connected:
                continue
            seat = self._seat(peer, now_ms)
            if now_ms - seat.chose_ms >= (URGENT_MS if _is_urgent(peer) else CHOOSE_MS):
                self._choose(peer, seat, now_ms)
            self._probe(peer, seat, now_ms)

    def _measure(self, peers: Iterable[Peer], now_ms: float) -> None:
        self._recent.note((peer.participant_id for peer in peers if peer.up.is_speaking), now_ms)
        self._costs.update(
            {
                (track.track_id, layer): float(bps)
                for track in self._forwarder.tracks.values()
                for layer, bps in track.layer_bps.items()
            },
            now_ms,
        )

    def _probe(self, peer: Peer, seat: _Seat, now_ms: float) -> None:
        elapsed_ms, seat.padded_ms = now_ms - seat.padded_ms, now_ms
        bps = 0.0
        if peer.down.may_pad:
            bps = seat.probe.bps(seat.viewer.wanted_bps, peer.down.estimate, peer.down.pictures_bps, now_ms)
        peer.down.pad(bps, elapsed_ms, now_ms)

    # --- pictures --------------------------------------------------------------------------

    def _choose(self, peer: Peer, seat: _Seat, now_ms: float) -> None:
        me, seat.chose_ms = peer.participant_id, now_ms
        tracks = [track for track in self._forwarder.tracks.values() if me in track.receivers]
        pictures = {track.track_id: track for track in tracks if track.kind is not Kind.AUDIO and track.live_layers}
        demands = self._demands(pictures.values(), seat)
        seat.viewer.choose(demands, peer.down.estimate, peer.down.proven_bps, peer.down.pictures_bps, now_ms)
        seat.told = {track_id: layer for track_id, layer in seat.told.items() if track_id in pictures}
        for chosen in seat.viewer.chosen:
            layer = chosen.layer.name if chosen.layer is not None else None
            if chosen.track_id not in seat.told or seat.told[chosen.track_id] != layer:
                seat.told[chosen.track_id] = layer
                pictures[chosen.track_id].want(me, layer)
        peer.down.audio_bps = sum(self._bps(track, me) for track in tracks if track.kind is Kind.AUDIO)
        peer.down.pictures_bps = sum(self._bps(track, me) for track in pictures.values())
        choices = tuple(
            LayerChoice(chosen.track_id, chosen.layer.name if chosen.layer is not None else PAUSED, chosen.reason)
            for chosen in sorted(seat.viewer.chosen, key=lambda chosen: chosen.track_id)
        )
        if choices != seat.reported:
            seat.reported = choices
            self._on_chosen(peer, choices)

    def _bps(self, track: Track, receiver: ParticipantId) -> float:
        layer = track.layer_of(receiver)
        return float(track.layer_bps.get(layer, 0)) if layer is not None else 0.0

    def _demands(self, pictures: Iterable[Track], seat: _Seat) -> list[Demand]:
        """The pictures in order of their importance, with the layers worth sending."""
        ranked = sorted(pictures, key=lambda track: (self._rank(track), -_tile_px(track, seat), track.track_id))
        demands, cameras = [], 0
        for track in ranked:
            tile_px = _tile_px(track, seat)
            refused = "" if tile_px > 0 else HIDDEN
            if not refused and track.kind is Kind.VIDEO:
                cameras += 1
                refused = CROWD if cameras > self._last_n else ""
            layers = tuple(Layer(name, self._costs.of(track.track_id, name)) for name in track.live_layers)
            demands.append(Demand(track.track_id, useful(layers, tile_px), self._rank(track), refused))
        return demands

    def _rank(self, track: Track) -> int:
        if track.kind is Kind.SCREEN:
            return SCREEN_RANK
        if track.source in self.prominent:
            return 1 + self.prominent.index(track.source)
        return SPEAKER_RANK if track.source in self._recent.members else OTHER_RANK

    # --- sound -----------------------------------------------------------------------------

    def _hear(self, peers: Collection[Peer]) -> None:
        """In a crowd only the loudest are forwarded, with those who are always heard; in a courtroom everyone is."""
        heard: frozenset[ParticipantId] | None = None
        if len(peers) > self._crowd_above:
            always = frozenset(self.prominent)
            loudness = {peer.participant_id: peer.up.loudness_dbov for peer in peers}
            heard = always | self._few.update(loudness, always)
        tracks = [track for track in self._forwarder.tracks.values() if track.kind is Kind.AUDIO]
        told = heard, {peer.peer_id for peer in peers}, {track.track_id for track in tracks}
        if told == self._heard:
            return
        self._heard = told
        for track in tracks:
            layer = BEST if heard is None or track.source in heard else None
            for peer in peers:
                track.want(peer.participant_id, layer)


def _tile_px(track: Track, seat: _Seat) -> int:
    return FULL_SIZE_PX if seat.tiles is None else seat.tiles.get(track.track_id, 0)


def _is_urgent(peer: Peer) -> bool:
    known = peer.down.estimate.bps
    return known is not None and known < HURRY * peer.down.pictures_bps
