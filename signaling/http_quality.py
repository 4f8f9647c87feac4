"""How everyone's path to the court has been in the last quarter of an hour: for the bench, the clerk and the duty desk."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from hearing.model import SittingId
from hearing.states import LIVE
from media.control import QualitySample
from signaling.access import Access, Visitor
from signaling.error_codes import Refused
from signaling.http_sessions import answer
from signaling.middleware import session_of
from signaling.parts import Parts
from signaling.protocol import PathQuality, PersonQuality, QualityHistory, QualitySampleView
from signaling.steering import Steering
from signaling.views import QUALITY_WATCHERS


class QualityApi:
    """Reads from the worker that holds the sitting; nothing of it is a record."""

    def __init__(self, parts: Parts, access: Access, steering: Steering) -> None:
        self._parts = parts
        self._access = access
        self._steering = steering

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/sittings/{sitting_id}/quality", self.history)]

    async def history(self, request: web.Request) -> web.Response:
        sitting_id = SittingId(request.match_info["sitting_id"])
        visitor = await self._access.sitting(session_of(request), sitting_id)
        if not _may_watch(visitor):
            raise Refused("not_permitted")
        _, sitting = await self._parts.hearings.load(sitting_id)
        if sitting.state not in LIVE:
            return answer(QualityHistory(people=[]))
        worker = await self._steering.worker(sitting_id)
        return answer(_by_person(await worker.quality(sitting_id)))


def _may_watch(visitor: Visitor) -> bool:
    """The presiding judge and the clerk of the sitting, and who manages the hearing or keeps the duty desk."""
    in_role = visitor.participant is not None and visitor.participant.role in QUALITY_WATCHERS
    return visitor.may_manage or in_role or visitor.session.position == "technician"


def _by_person(samples: tuple[QualitySample, ...]) -> QualityHistory:
    people: dict[str, list[QualitySampleView]] = {}
    for sample in samples:
        measured = {name: value for name, value in asdict(sample.quality).items() if name in PathQuality.model_fields}
        view = QualitySampleView.model_validate({"at": sample.at, **measured})
        people.setdefault(sample.quality.participant_id, []).append(view)
    return QualityHistory(people=[PersonQuality(participant_id=who, samples=views) for who, views in people.items()])
