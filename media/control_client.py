"""MediaControl over HTTP: signaling's end of a media worker's control port."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import aiohttp
from pydantic import TypeAdapter

from hearing.access import AccessClass
from hearing.audience import GrantTable
from hearing.model import ParticipantId, SittingId
from media.control import (
    ClientStats,
    MediaError,
    Offer,
    QualitySample,
    RecorderHealth,
    SelfTestMeasured,
    SpoolProbe,
    WrittenSound,
    WrittenTrack,
)

_TABLE = TypeAdapter(GrantTable)
_PROBE = TypeAdapter(SpoolProbe)
_SAMPLES = TypeAdapter(tuple[QualitySample, ...])
_HEALTH = TypeAdapter(RecorderHealth | None)
_WRITTEN = TypeAdapter(tuple[WrittenTrack, ...])
CONTROL_TIMEOUT = aiohttp.ClientTimeout(total=10)


class HttpMediaControl:
    """MediaControl over HTTP: the client of media/worker.py. `session` belongs to the caller."""

    def __init__(self, base_url: str, token: str, session: aiohttp.ClientSession) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session = session

    async def apply_grants(self, table: GrantTable) -> int:
        body = await self._request("PUT", f"{table.sitting_id}/grants", _TABLE.dump_python(table, mode="json"))
        return int(body["number"])

    async def connect(self, sitting_id: SittingId, participant_id: ParticipantId, peer_id: str) -> tuple[Offer, ...]:
        body = await self._request("POST", f"{sitting_id}/peers", {"participant_id": participant_id, "peer_id": peer_id})
        return tuple(Offer(**offer) for offer in body["offers"])

    async def answer(self, sitting_id: SittingId, peer_id: str, connection: str, revision: int, sdp: str) -> None:
        body = {"connection": connection, "revision": revision, "sdp": sdp}
        await self._request("POST", f"{sitting_id}/peers/{peer_id}/answer", body)

    async def restart_ice(self, sitting_id: SittingId, peer_id: str, connection: str) -> Offer:
        return Offer(**await self._request("POST", f"{sitting_id}/peers/{peer_id}/restart_ice", {"connection": connection}))

    async def resume(self, sitting_id: SittingId, participant_id: ParticipantId, peer_id: str) -> tuple[Offer, ...]:
        body = await self._request("POST", f"{sitting_id}/peers/{peer_id}/resume", {"participant_id": participant_id})
        return tuple(Offer(**offer) for offer in body["offers"])

    async def disconnect(self, sitting_id: SittingId, peer_id: str) -> None:
        await self._request("DELETE", f"{sitting_id}/peers/{peer_id}", None)

    async def set_view(self, sitting_id: SittingId, peer_id: str, tiles: Mapping[str, int]) -> None:
        await self._request("PUT", f"{sitting_id}/peers/{peer_id}/view", {"tiles": dict(tiles)})

    async def note_stats(self, sitting_id: SittingId, peer_id: str, stats: ClientStats) -> None:
        await self._request("PUT", f"{sitting_id}/peers/{peer_id}/stats", asdict(stats))

    async def quality(self, sitting_id: SittingId) -> tuple[QualitySample, ...]:
        body = await self._request("GET", f"{sitting_id}/quality", None)
        return _SAMPLES.validate_python(body["samples"])

    async def recorder_health(self, sitting_id: SittingId) -> RecorderHealth | None:
        return _HEALTH.validate_python((await self._request("GET", f"{sitting_id}/recorder", None))["health"])

    async def written_tracks(self, sitting_id: SittingId) -> tuple[WrittenTrack, ...]:
        body = await self._request("GET", f"{sitting_id}/written", None)
        return _WRITTEN.validate_python(body["tracks"])

    async def written_sound(self, sitting_id: SittingId, track_id: str, holder: AccessClass) -> WrittenSound:
        body = await self._request("GET", f"{sitting_id}/written/{track_id}?holder={holder.value}", None)
        return WrittenSound(int(body["t0_ms"]), int(body["t1_ms"]), base64.b64decode(body["webm"]))

    async def close_sitting(self, sitting_id: SittingId) -> None:
        await self._request("POST", f"{sitting_id}/close", {})

    async def release(self, sitting_id: SittingId) -> None:
        await self._request("POST", f"{sitting_id}/release", {})

    async def metrics(self) -> str:
        return str((await self._request("GET", "metrics", None, under="worker"))["text"])

    async def probe_spool(self) -> SpoolProbe:
        return _PROBE.validate_python(await self._request("POST", "probe", {}, under="worker"))

    async def begin_self_test(self, owner_id: str, test_id: str) -> str:
        return str((await self._request("POST", f"{owner_id}/{test_id}", {}, under="self-tests"))["sdp"])

    async def answer_self_test(self, owner_id: str, test_id: str, sdp: str) -> None:
        await self._request("POST", f"{owner_id}/{test_id}/answer", {"sdp": sdp}, under="self-tests")

    async def self_test(self, owner_id: str, test_id: str) -> SelfTestMeasured:
        return SelfTestMeasured(**await self._request("GET", f"{owner_id}/{test_id}", None, under="self-tests"))

    async def end_self_test(self, owner_id: str, test_id: str) -> None:
        await self._request("DELETE", f"{owner_id}/{test_id}", None, under="self-tests")

    async def _request(self, method: str, path: str, body: dict[str, Any] | None, under: str = "sittings") -> dict[str, Any]:
        """Raises MediaError with the worker's code, or media_unreachable."""
        url = f"{self._base_url}/control/{under}/{path}"
        try:
            async with self._session.request(
                method, url, json=body, headers=self._headers, timeout=CONTROL_TIMEOUT
            ) as response:
                answer: dict[str, Any] = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise MediaError("media_unreachable", "媒体服务器无法访问") from error
        if response.status != 200:
            raise MediaError(str(answer.get("code", "media_error")), str(answer.get("message", "")))
        return answer
