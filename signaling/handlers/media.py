"""media.*: the browser's two connections, relayed to the worker that holds the sitting. SDP passes through unread."""

from __future__ import annotations

from typing import cast

from media.control import ClientStats, MediaError, Offer
from signaling.error_codes import Refused
from signaling.gateway import Handler
from signaling.parsing import Envelope
from signaling.presence import Seat
from signaling.protocol import Ack, Answer, Disconnect, OfferView, RestartIce, ResumeMedia, Stats, View
from signaling.steering import Steering
from storage.ids import new_id

MOST_TILES = 200
MOST_PIXELS = 4320


class MediaHandlers:
    """One media peer per seat; the worker closes an older peer of the same person by itself."""

    def __init__(self, steering: Steering) -> None:
        self._steering = steering

    def table(self) -> dict[str, Handler]:
        return {
            "media.connect": self.connect,
            "media.answer": self.answer,
            "media.restart_ice": self.restart_ice,
            "media.resume": self.resume,
            "media.disconnect": self.disconnect,
            "media.view": self.view,
            "media.stats": self.stats,
        }

    async def connect(self, seat: Seat, _: Envelope) -> Ack:
        peer_id = new_id("peer")
        worker = await self._steering.worker(seat.sitting_id)
        try:
            offers = await worker.connect(seat.sitting_id, seat.participant.id, peer_id)
        except MediaError as error:
            if error.code != "sitting_unknown":
                raise
            await self._steering.push(seat.sitting_id)  # the table is still on its way, or the worker has just restarted
            offers = await worker.connect(seat.sitting_id, seat.participant.id, peer_id)
        seat.peer_id = peer_id
        return Ack(ok=True, peer_id=peer_id, offers=[offer_view(offer) for offer in offers])

    async def answer(self, seat: Seat, envelope: Envelope) -> Ack:
        body = cast("Answer", envelope.body)
        own_peer(seat, body.peer_id)
        worker = await self._steering.worker(seat.sitting_id)
        await worker.answer(seat.sitting_id, body.peer_id, body.connection, body.revision, body.sdp)
        return Ack(ok=True)

    async def restart_ice(self, seat: Seat, envelope: Envelope) -> Ack:
        body = cast("RestartIce", envelope.body)
        own_peer(seat, body.peer_id)
        worker = await self._steering.worker(seat.sitting_id)
        offer = await worker.restart_ice(seat.sitting_id, body.peer_id, body.connection)
        return Ack(ok=True, peer_id=body.peer_id, offers=[offer_view(offer)])

    async def resume(self, seat: Seat, envelope: Envelope) -> Ack:
        """The worker knows whose peer it is; a socket that came anew steers it from now on."""
        body = cast("ResumeMedia", envelope.body)
        worker = await self._steering.worker(seat.sitting_id)
        offers = await worker.resume(seat.sitting_id, seat.participant.id, body.peer_id)
        seat.peer_id = body.peer_id
        return Ack(ok=True, peer_id=body.peer_id, offers=[offer_view(offer) for offer in offers])

    async def disconnect(self, seat: Seat, envelope: Envelope) -> Ack:
        body = cast("Disconnect", envelope.body)
        own_peer(seat, body.peer_id)
        seat.peer_id = None
        worker = await self._steering.worker(seat.sitting_id)
        await worker.disconnect(seat.sitting_id, body.peer_id)
        return Ack(ok=True)

    async def view(self, seat: Seat, envelope: Envelope) -> Ack:
        body = cast("View", envelope.body)
        own_peer(seat, body.peer_id)
        if len(body.tiles) > MOST_TILES:
            raise Refused("bad_field", "tiles")
        tiles = {f"{tile.participant_id}-{tile.kind}": min(max(tile.height_px, 0), MOST_PIXELS) for tile in body.tiles}
        worker = await self._steering.worker(seat.sitting_id)
        await worker.set_view(seat.sitting_id, body.peer_id, tiles)
        return Ack(ok=True)

    async def stats(self, seat: Seat, envelope: Envelope) -> Ack:
        body = cast("Stats", envelope.body)
        own_peer(seat, body.peer_id)
        worker = await self._steering.worker(seat.sitting_id)
        await worker.note_stats(seat.sitting_id, body.peer_id, ClientStats(**body.model_dump(exclude={"peer_id"})))
        return Ack(ok=True)


def own_peer(seat: Seat, peer_id: str) -> None:
    """A socket steers the peer it made and no other."""
    if seat.peer_id is None or seat.peer_id != peer_id:
        raise Refused("bad_field", "peer_id")


def offer_view(offer: Offer) -> OfferView:
    return OfferView.model_validate({"connection": offer.connection, "revision": offer.revision, "sdp": offer.sdp})
