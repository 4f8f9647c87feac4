"""Hearing back what was just written to the disk (C35): for who looks after the recording, in the hearing; each is logged."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from hearing.access import AccessClass, clearance, may_have
from hearing.audience import Place, place_of
from hearing.model import Keeping, Sitting, SittingId, SittingState
from hearing.parts import kept
from media.control import WrittenTrack
from signaling.access import Access, Read, Visitor
from signaling.error_codes import Refused
from signaling.http_sessions import answer
from signaling.middleware import origin_of, session_of
from signaling.parts import Parts
from signaling.protocol import HearBackTrack, HearBackView
from signaling.steering import Steering
from signaling.views import RECORDING_WATCHERS


class HearBackApi:
    """Reads from the worker that holds the sitting, which reads from its disk."""

    def __init__(self, parts: Parts, access: Access, steering: Steering) -> None:
        self._parts = parts
        self._access = access
        self._steering = steering

    def routes(self) -> list[web.RouteDef]:
        base = "/api/sittings/{sitting_id}/hear-back"
        return [web.get(base, self.tracks), web.get(base + r"/{track_id:[A-Za-z0-9_-]{1,80}}.webm", self.sound)]

    async def tracks(self, request: web.Request) -> web.Response:
        """Every track that is recorded now, with its level as written; no sound is in it."""
        visitor, sitting = await self._watcher(request)
        if kept(sitting) is Keeping.NONE:
            return answer(HearBackView(recorded=False, tracks=[]))
        worker = await self._steering.worker(sitting.id)
        holder = hears(visitor, sitting)
        return answer(
            HearBackView(recorded=True, tracks=[_view(one, holder) for one in await worker.written_tracks(sitting.id)])
        )

    async def sound(self, request: web.Request) -> web.Response:
        """The last seconds of a track as they stand on the disk; logged before the first byte goes."""
        visitor, sitting = await self._watcher(request)
        if kept(sitting) is Keeping.NONE:
            raise Refused("not_recorded")
        worker = await self._steering.worker(sitting.id)
        heard = await worker.written_sound(sitting.id, request.match_info["track_id"], hears(visitor, sitting))
        ip = origin_of(request, self._parts.settings).ip
        await self._access.log(visitor, "hear_back", ip, Read(sitting.id, "", heard.t0_ms, heard.t1_ms))
        headers = {"Cache-Control": "no-store", "X-Court-Span": f"{heard.t0_ms}-{heard.t1_ms}"}
        return web.Response(body=heard.webm, content_type="audio/webm", headers=headers)

    async def _watcher(self, request: web.Request) -> tuple[Visitor, Sitting]:
        """Raises not_found, not_permitted."""
        sitting_id = SittingId(request.match_info["sitting_id"])
        visitor = await self._access.duty(session_of(request), sitting_id)
        if not _may_watch(visitor):
            raise Refused("not_permitted")
        _, sitting = await self._parts.hearings.load(sitting_id)
        return visitor, sitting


def _may_watch(visitor: Visitor) -> bool:
    """The clerk and the presiding judge of the sitting, who manages the hearing, and the duty desk; never a party."""
    in_role = visitor.participant is not None and visitor.participant.role in RECORDING_WATCHERS
    return visitor.may_manage or in_role or visitor.session.position == "technician"


def hears(visitor: Visitor, sitting: Sitting) -> AccessClass:
    """The strictest class this person may hear back now: in a part that is sealed, only who hears it in the courtroom."""
    person = visitor.participant
    if person is None:
        return clearance(None)
    in_court = sitting.state is SittingState.IN_SESSION and place_of(sitting, person) is Place.COURTROOM
    sealed_now = kept(sitting) is Keeping.SEALED
    return AccessClass.SEALED if in_court and sealed_now else clearance(person.role)


def _view(track: WrittenTrack, holder: AccessClass) -> HearBackTrack:
    fields = asdict(track)
    access = fields.pop("access")
    return HearBackTrack.model_validate(fields | {"may_listen": track.playable_ms > 0 and may_have(holder, access)})
