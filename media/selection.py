"""Who gets which layer of a track: a change waits for a keyframe of the layer it goes to (design §4).

Whoever stands at the same place of the outgoing stream and changes at the same keyframe goes on sharing one rendition.
Who has never had a packet joins at once; who paused goes on where the stream stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hearing.audience import Kind
from hearing.model import ParticipantId
from media.keyframes import starts_keyframe
from media.layers import BEST, LOOK_MS, SINGLE, Layer, nearest
from media.rendition import FanOutMaker, Header, Member, Position, Rendition, Subscriber
from media.rtp_time import SenderClock
from media.sdp import CLOCK_RATES_HZ, PAYLOAD_TYPES


class Selection:
    """The layers of one track and its members. `record` stands for the listeners inside this process: always the best layer.

    `undecided` is what a member gets for whom nobody has decided. `on_changed` is called when the set of live layers has
    changed.
    """

    def __init__(self, kind: Kind, ssrc: int, make_fan_out: FanOutMaker, undecided: str | None = BEST) -> None:
        self.layers: dict[str, Layer] = {}
        self.record = Member(None)
        self.members: dict[ParticipantId, Member] = {}
        self.on_changed: Callable[[], None] = lambda: None
        self._kind = kind
        self._ssrc = ssrc
        self._make_fan_out = make_fan_out
        self._undecided = undecided
        self._wants: dict[ParticipantId, str | None] = {}
        self._left: dict[ParticipantId, Member] = {}
        self._look_ms = 0.0
        self._now_ms = 0.0

    # --- layers ----------------------------------------------------------------------------

    def open(self, name: str, ask_keyframe: Callable[[], None], sender: SenderClock) -> Layer:
        """A (new) incoming stream feeds this layer. A track's layers are of one sort: by RID, or a single one."""
        for other in tuple(self.layers.values()):
            if other.name == name or SINGLE in {name, other.name}:
                self._close(other)
        layer = self.layers[name] = Layer(name, ask_keyframe, sender)
        return layer

    def _close(self, layer: Layer) -> None:
        layer.closed, layer.live = True, False
        layer.waiting.clear()
        layer.early.clear()
        layer.renditions = layer.tails = ()
        self.layers.pop(layer.name, None)

    def shut(self) -> None:
        """Close all layers; what was sent is forgotten."""
        for layer in tuple(self.layers.values()):
            self._close(layer)
        for rendition in self.renditions():
            rendition.forget()

    def live_layers(self) -> list[Layer]:
        """Small to large."""
        return sorted((layer for layer in self.layers.values() if layer.live), key=lambda layer: layer.rank)

    def note(self, layer: Layer, sequence: int, timestamp: int, now_ms: float) -> None:
        """A packet of this layer has come: it is live. A few times a second the others are looked at too."""
        self._now_ms = now_ms
        if layer.arrived(sequence, timestamp, now_ms):
            self._plan()
            self.on_changed()
        if now_ms >= self._look_ms:
            self._look(now_ms)

    def _look(self, now_ms: float) -> None:
        """Measure, notice layers that have stopped, ask again for keyframes."""
        self._look_ms = now_ms + LOOK_MS
        shown = max((layer.shown() for layer in self.layers.values()), default=0)
        stopped = False
        for layer in self.layers.values():
            layer.measure(now_ms)
            if layer.has_stopped(shown, now_ms):
                layer.fall()
                stopped = True
        if stopped:
            self._plan()
            self.on_changed()
            return
        for layer in self.layers.values():
            if layer.waiting:
                layer.ask_keyframe()
            if layer.tails:
                layer.tails = tuple(rendition for rendition in layer.tails if layer in rendition.tail_layers(now_ms))

    # --- members ---------------------------------------------------------------------------

    def set_receivers(self, receivers: Mapping[ParticipantId, Subscriber]) -> None:
        """Replace the receivers. Who comes back on the same connection goes on where its stream stopped."""
        for name, member in tuple(self.members.items()):
            if receivers.get(name) is not member.receiver:
                member.pause()
                self._left[name] = self.members.pop(name)
        newcomers = []
        for name, receiver in receivers.items():
            if name not in self.members:
                left = self._left.pop(name, None)
                position = left.position if left is not None and left.receiver is receiver else None
                self.members[name] = Member(receiver, self._wants.get(name, self._undecided), position)
                newcomers.append(self.members[name])
        self._plan()
        for member in newcomers:
            self.ask_keyframe(member)

    def want(self, receiver_id: ParticipantId, layer: str | None) -> None:
        """None: nothing, from now on."""
        before = self._wants.get(receiver_id, self._undecided)
        self._wants[receiver_id] = layer
        self._want_of(receiver_id, before, layer)

    def undecide(self, receiver_id: ParticipantId) -> None:
        """As if nobody had ever decided for this receiver."""
        before = self._wants.pop(receiver_id, self._undecided)
        self._want_of(receiver_id, before, self._undecided)

    def _want_of(self, receiver_id: ParticipantId, before: str | None, now: str | None) -> None:
        member = self.members.get(receiver_id)
        if member is None or before == now:
            return
        begins = member.rendition is None
        member.want = now
        self._plan()
        if begins and member.rendition is not None:
            self.ask_keyframe(member)

    def renditions(self) -> list[Rendition]:
        everyone = (self.record, *self.members.values())
        return list(dict.fromkeys(member.rendition for member in everyone if member.rendition is not None))

    def ask_keyframe(self, member: Member) -> None:
        """Of what this member has and of what it waits for; before the first packet of whatever may come."""
        present = member.rendition.layer if member.rendition is not None else None
        wanted = {layer for layer in (present, self._target(member)) if layer is not None and not layer.closed}
        for layer in wanted or self.layers.values():
            layer.ask_keyframe()

    def _target(self, member: Member) -> Layer | None:
        return nearest(self.layers.values(), member.want) if member.want is not None else None

    def _plan(self) -> None:
        """Decide for everyone: stay, join at once, pause, or wait for a keyframe of another layer."""
        for layer in self.layers.values():
            layer.waiting.clear()
        for member in (self.record, *self.members.values()):
            target = self._target(member)
            if member.want is None:
                member.pause()
            elif target is None or (member.rendition is not None and member.rendition.layer is target):
                continue
            elif member.rendition is None and member.position is None:
                member.join(self._rendition_on(target))
            else:
                target.waiting.add(member)
        self._regroup()
        for layer in self.layers.values():
            if layer.waiting:
                layer.ask_keyframe()
            else:
                layer.early.clear()

    def _rendition_on(self, layer: Layer) -> Rendition:
        """The rendition that most get of this layer, else a new one in the layer's own numbers."""
        there = [rendition for rendition in self.renditions() if rendition.layer is layer]
        return max(there, key=lambda rendition: len(rendition.receivers)) if there else self._make(None, layer)

    def _make(self, position: Position | None, layer: Layer | None = None) -> Rendition:
        rendition = Rendition(PAYLOAD_TYPES[self._kind], self._ssrc, CLOCK_RATES_HZ[self._kind], self._make_fan_out)
        if position is not None:
            rendition.resume(position)
        elif layer is not None:
            rendition.begin(layer)
        return rendition

    def _regroup(self) -> None:
        """Renew who gets each rendition, and which renditions each layer feeds."""
        renditions = self.renditions()
        for rendition in renditions:
            rendition.set_receivers(
                tuple(m.receiver for m in self.members.values() if m.rendition is rendition and m.receiver is not None)
            )
        for layer in self.layers.values():
            layer.renditions = tuple(rendition for rendition in renditions if rendition.layer is layer)
            layer.tails = tuple(rendition for rendition in renditions if layer in rendition.tail_layers(self._now_ms))

    # --- change of layer -------------------------------------------------------------------

    def meet(self, layer: Layer, header: Header, payload: bytes, incoming: bytes, now_ms: float) -> list[bytes]:
        """Members wait for this layer. When this packet begins a keyframe they are let in, and what came before it although
        it was sent after it is given back, in order: it is theirs too.
        """
        if self._kind is not Kind.AUDIO and not starts_keyframe(payload):
            layer.keep_early(header[2], incoming)
            return []
        groups: dict[Rendition | Position | None, list[Member]] = {}
        for member in layer.waiting:
            groups.setdefault(member.rendition or member.position, []).append(member)
        for origin, group in groups.items():
            self._move(origin, group, layer, header, payload, now_ms)
        early = layer.since(header[2])
        layer.waiting.clear()
        layer.early.clear()
        self._regroup()
        return early

    def _move(
        self, origin: Rendition | Position | None, group: Iterable[Member], layer: Layer, header: Header, payload: bytes,
        now_ms: float,
    ) -> None:  # fmt: skip
        """Those of a group go on together; who stays on the old layer keeps the old rendition."""
        if isinstance(origin, Rendition):
            going = set(group)
            stays = any(m.rendition is origin and m not in going for m in (self.record, *self.members.values()))
            rendition = origin.split() if stays else origin
        else:
            rendition = self._make(origin)
        rendition.switch(layer, header[2], header[3], payload, now_ms)
        for member in group:
            if member.rendition is None:
                member.join(rendition)
            else:
                member.rendition = rendition
