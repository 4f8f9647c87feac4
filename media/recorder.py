"""The recorder of one sitting: one more listener of the forwarded packets. It runs when the grant table says so (AV-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from hearing.audience import RECORDER, GrantTable, Kind
from hearing.model import ParticipantId, SittingId
from hearing.timeline import t_ms as record_ms
from media.aiortc_bridge import now_ms
from media.control import GapFound, RecorderHealth, Report
from media.hear_back import OnDisk
from media.recorder_health import HealthWatch
from media.segment_writer import OpenSegment, SegmentWriter
from media.sfu import grants_to
from media.track_recorder import COMMIT_MS, Place, TrackRecorder, recorder_for
from media.tracks import UpTrack

DRAIN_TICK_S = 0.05
STOOD_STILL_MS = 1_000.0
HEALTH_LASTS_MS = 6_000.0  # three reports
EARLY_MS = 300.0  # a picture lies before its arrival by what it was on its way: a newcomer's first keyframe is recorded too
CATCH_UP_MS = 3_000.0  # by then signaling has sent again what was decided while this process stood still


class Recorder:
    """Satisfies PacketSink.

    `live_tracks()` gives the tracks whose source is connected and in the courtroom; `monotonic_of(at)` puts a UTC moment
    on the arrival clock.
    """

    def __init__(
        self,
        sitting_id: SittingId,
        writer: SegmentWriter,
        live_tracks: Callable[[], Iterable[UpTrack]],
        monotonic_of: Callable[[datetime], float],
        report: Callable[[Report], None],
    ) -> None:
        self.sitting_id = sitting_id
        self.segment_s = 10.0
        self._writer = writer
        self._live_tracks = live_tracks
        self._monotonic_of = monotonic_of
        self._report = report
        self._place: Place | None = None
        self._start_ms: float | None = None  # of the present interval, on the record clock; None: not recording
        self._granted: frozenset[tuple[ParticipantId, Kind]] = frozenset()
        self._tracks: dict[str, TrackRecorder] = {}
        self._ending: list[TrackRecorder] = []
        self._left: dict[str, float] = {}
        self._seen: set[str] = set()
        self._health = HealthWatch(writer)
        self._last_health: tuple[float, RecorderHealth | None] = (0.0, None)
        self._ticked_ms = self._sure_ms = now_ms()
        self._catch_up_until_ms = 0.0

    @property
    def is_recording(self) -> bool:
        return self._start_ms is not None

    # --- steering --------------------------------------------------------------------------

    def apply(self, table: GrantTable) -> None:
        """Take a new table: start, stop, and what may be written, each at the time of the deciding event."""
        if table.opened_at is None:
            return
        if self._place is None:
            self._place = Place(
                self.sitting_id,
                table.opened_at,
                self._monotonic_of(table.opened_at),
                self.segment_s * 1000,
                self._writer,
                self._gap,
            )
        effective_ms = float(record_ms(table.opened_at, table.effective_at))
        self._granted = grants_to(table, RECORDER)
        changed = self._place.classes.change(effective_ms, table.access)
        if self._granted and self._start_ms is None:
            self._start_ms = effective_ms
        elif not self._granted and self._start_ms is not None:
            self.stop(effective_ms)
        for recorder in self._tracks.values():
            recorder.permit(effective_ms, (recorder.track.source, recorder.track.kind) in self._granted)
        for recorder in (*self._tracks.values(), *self._ending) if changed else ():
            recorder.reclass(effective_ms, table.access)
        self._follow(self._place, effective_ms)

    def catch_up(self) -> None:
        """Before a new table: follow who is here by the old one, so that apply() begins only those whom the table let in."""
        if self._place is not None and self._start_ms is not None:
            self._follow(self._place, self._start_ms)

    def stop(self, t_ms: float, closed_by: str = "stop") -> None:
        """End the interval: every track is recorded up to `t_ms`, then closed."""
        self._start_ms = None
        self._left.clear()
        for recorder in self._ending:
            recorder.stop(t_ms, closed_by)
        for track_id in tuple(self._tracks):
            self._end(track_id, t_ms, closed_by)

    def stop_now(self, closed_by: str) -> None:
        if self._place is not None:
            self.stop(now_ms() - self._place.zero_ms, closed_by)

    def source_left(self, source: ParticipantId) -> None:
        """A participant's connection is gone: their tracks end now."""
        if self._place is None:
            return
        t_ms = now_ms() - self._place.zero_ms
        for track_id, recorder in tuple(self._tracks.items()):
            if recorder.track.source == source:
                self._left[track_id] = t_ms
                self._end(track_id, t_ms, "leave")

    def _end(self, track_id: str, t_ms: float, closed_by: str) -> None:
        recorder = self._tracks.pop(track_id)
        recorder.stop(t_ms, closed_by)
        self._ending.append(recorder)

    # --- packets ---------------------------------------------------------------------------

    def on_packet(self, track: UpTrack, packet: bytes, arrival_ms: float) -> None:
        recorder = self._tracks.get(track.track_id)
        if recorder is not None:
            self._health.heard(track.track_id, packet, arrival_ms)
            recorder.push(packet, arrival_ms)

    def tick(self, now: float) -> None:
        """Write what has become certain; follow who is here. Called about ten times a second."""
        now = self._sure(now)
        if self._place is not None:
            self.catch_up()
            self._ending = [recorder for recorder in self._ending if not recorder.tick(now)]
            for recorder in self._tracks.values():
                recorder.tick(now)
            if not self.is_recording:
                self._health.let_go()

    def _sure(self, now: float) -> float:
        """Up to when we may write. A process that stood still first waits for what the law decided meanwhile."""
        if now - self._ticked_ms > STOOD_STILL_MS:
            self._catch_up_until_ms = now + CATCH_UP_MS
        self._ticked_ms = now
        if now >= self._catch_up_until_ms:
            self._sure_ms = now
        return self._sure_ms

    def _follow(self, place: Place, since_ms: float) -> None:
        """Begin tracks that have come, at `since_ms` at the earliest, and end those whose source has left the courtroom."""
        if self._start_ms is None:
            return
        live = {track.track_id: track for track in self._live_tracks() if track.live_since_ms is not None}
        for track_id, track in live.items():
            if track_id not in self._tracks:
                self._begin(track, place, max(since_ms, self._start_ms))
        for source in {recorder.track.source for track_id, recorder in self._tracks.items() if track_id not in live}:
            self.source_left(source)

    def _begin(self, track: UpTrack, place: Place, interval_ms: float) -> None:
        assert track.live_since_ms is not None
        came_ms = track.live_since_ms - place.zero_ms - (0.0 if track.kind is Kind.AUDIO else EARLY_MS)
        start_ms = max(interval_ms, came_ms, self._left.get(track.track_id, came_ms))
        granted = (track.source, track.kind) in self._granted
        self._tracks[track.track_id] = recorder_for(track, place, start_ms, granted)
        if track.track_id in self._left:
            self._gap(track, self._left.pop(track.track_id), start_ms, "leave")
        elif track.track_id not in self._seen:
            head = self._writer.spool.head(self.sitting_id, track.track_id)
            if head is not None and head.closed_by in {"repair", "rotate", "class"}:
                self._gap(track, head.t1_ms, start_ms, "media_restart")
        self._seen.add(track.track_id)
        for arrival_ms, packet in track.recent() if granted else ():
            self._tracks[track.track_id].push(packet, arrival_ms)
        track.request_keyframe()

    def _gap(self, track: UpTrack, t0_ms: float, t1_ms: float, cause: str) -> None:
        if t1_ms > t0_ms:
            self._report(GapFound(self.sitting_id, track.source, track.kind, round(t0_ms), round(t1_ms), cause))

    # --- health and end --------------------------------------------------------------------

    def segment_failed(self, segment: OpenSegment, error: OSError) -> None:
        """The writer thread could not go on with a segment; the tracks go on with new ones.

        One that failed only when it was closed is nobody's open segment any more: what is missing of it is declared here.
        """
        self._health.failed(segment, error, now_ms())
        if segment.ends_ms is not None and segment.ends_ms > segment.saved_until_ms:
            name, until_ms = segment.name, segment.ends_ms
            self._report(
                GapFound(self.sitting_id, name.participant_id, name.kind, segment.saved_until_ms, until_ms, "disk_full")
            )
        for recorder in (*self._tracks.values(), *self._ending):
            if recorder.segment is segment:
                recorder.fail(segment.saved_until_ms, now_ms())

    async def health(self) -> RecorderHealth:
        """Judged by bytes read back from the spool's open files (S5)."""
        zero_ms = self._place.zero_ms if self._place is not None else now_ms()
        faults = await self._health.judge(self._tracks, self._is_granted, zero_ms)
        detail = faults[0].code if faults else ""
        report = RecorderHealth(self.sitting_id, not faults, len(self._tracks), self._health.read_bytes, detail, faults)
        self._last_health = (now_ms(), report)
        return report

    def last_health(self) -> RecorderHealth | None:
        """The newest report, for a signaling process that was not told; None when it is older than HEALTH_LASTS_MS."""
        at_ms, report = self._last_health
        return report if now_ms() - at_ms < HEALTH_LASTS_MS else None

    def on_disk(self) -> list[OnDisk]:
        """How each track stands on the disk; nothing where nothing is recorded now."""
        if self._place is None or not self.is_recording:
            return []
        return self._health.on_disk(self._tracks, self._place.zero_ms)

    def _is_granted(self, recorder: TrackRecorder) -> bool:
        return (recorder.track.source, recorder.track.kind) in self._granted

    async def drain(self) -> None:
        """After stop_now(): return when every segment is closed and on the disk."""
        for _ in range(round((CATCH_UP_MS + 4 * COMMIT_MS) / 1000 / DRAIN_TICK_S)):
            self.tick(now_ms())
            if not self._ending:
                break
            await asyncio.sleep(DRAIN_TICK_S)
        self._health.let_go()
        await self._writer.drain()
