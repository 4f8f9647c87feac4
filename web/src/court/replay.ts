/**
 * Replay of a sitting: one record clock leads, every recorded track follows it.
 *
 * Plain TypeScript: no Vue, no DOM. A track is a port (TrackPort); segmented-track.ts is the real one over MediaSource.
 * All times are milliseconds on the record clock (0 = 宣布开庭).
 */
import type { RecordInterval, RecordSegment, RecordTrack } from "../protocol";

/** Where a track stands at a moment of the record. */
export type Coverage =
  | "ready" // data is in the browser: it can be seen or heard now
  | "loading" // recorded, but not here yet
  | "failed" // recorded, but the server would not give it or the browser could not read it
  | "none"; // nothing was recorded at this moment

/** What the synchroniser needs of a track. Positions are record time. */
export interface TrackPort {
  readonly track_id: string;
  readonly kind: RecordTrack["kind"];
  /** Where it is on its way to after a seek; null when it has arrived. Its own clock means nothing until then. */
  readonly heading_ms: number | null;
  coverage(t_ms: number): Coverage;
  position_ms(): number;
  /** Is there data without a hole between its position and this moment? An element never crosses a hole by itself. */
  reaches(t_ms: number): boolean;
  seek(t_ms: number): void;
  play(): void;
  pause(): void;
  setRate(rate: number): void;
  /** Fetch what lies around the playhead and let go of the rest. */
  load(t_ms: number): void;
  close(): void;
}

/** Within this offset a track is left alone: an element's own clock is only that exact. */
export const DEADBAND_MS = 20;
/** Beyond this offset a track jumps; below it the rate is bent a little, which nobody hears. */
export const SEEK_BEYOND_MS = 350;
/** A jump while playing costs about this much; aiming ahead saves a second jump. */
const SEEK_LEAD_MS = 60;
/** A jump that has not arrived when the clock is this far from its goal goes to the wrong place: jump again. */
const LOST_MS = 1500;
/** How long the clock waits for data before it goes on without the late track. */
export const PATIENCE_MS = 8000;
/** Two segments this close belong together: their ends are rounded to frames. */
const JOIN_MS = 150;
/** A stretch shorter than this is not worth skipping. */
const SHORTEST_SKIP_MS = 500;

export type Correction = { act: "hold"; rate: number } | { act: "bend"; rate: number } | { act: "seek" };

/** How a playing track gets back to the clock. `drift_ms` > 0: the track is ahead. */
export function correction(drift_ms: number, rate: number, kind: RecordTrack["kind"]): Correction {
  const off_ms = Math.abs(drift_ms);
  if (off_ms > SEEK_BEYOND_MS) return { act: "seek" };
  if (off_ms <= DEADBAND_MS) return { act: "hold", rate };
  const most = kind === "audio" ? 0.1 : 0.25;
  const bend = Math.max(-most, Math.min(most, -drift_ms / 500));
  return { act: "bend", rate: rate * (1 + bend) };
}

/** The record clock of a replay: runs on a monotonic clock, scaled by the speed. */
export class ReplayClock {
  private base_ms = 0;
  private since_ms: number | null = null;
  private speed = 1;

  constructor(
    private readonly now: () => number,
    readonly duration_ms: number,
  ) {}

  get t_ms(): number {
    if (this.since_ms === null) return this.base_ms;
    return Math.min(this.duration_ms, this.base_ms + (this.now() - this.since_ms) * this.speed);
  }

  get running(): boolean {
    return this.since_ms !== null;
  }

  get rate(): number {
    return this.speed;
  }

  start(): void {
    if (this.since_ms === null) this.since_ms = this.now();
  }

  stop(): void {
    this.base_ms = this.t_ms;
    this.since_ms = null;
  }

  seek(t_ms: number): void {
    this.base_ms = Math.max(0, Math.min(this.duration_ms, t_ms));
    if (this.since_ms !== null) this.since_ms = this.now();
  }

  setRate(rate: number): void {
    this.seek(this.t_ms);
    this.speed = rate;
  }
}

/** What the page shows about the replay as a whole. */
export type ReplayState = "paused" | "playing" | "waiting" | "ended";

/** Keeps every track on the clock. Call tick() several times a second. */
export class Replay {
  private wanted = false;
  private waited_since_ms: number | null = null;
  private gave_up_waiting = false;
  skip_breaks = true;

  constructor(
    readonly clock: ReplayClock,
    private readonly tracks: readonly TrackPort[],
    private readonly intervals: readonly RecordInterval[],
    private readonly now: () => number,
  ) {}

  get state(): ReplayState {
    if (this.wanted) return this.clock.running ? "playing" : "waiting";
    return this.clock.t_ms >= this.clock.duration_ms && this.clock.duration_ms > 0 ? "ended" : "paused";
  }

  play(): void {
    if (this.clock.t_ms >= this.clock.duration_ms) this.clock.seek(0);
    this.wanted = true;
    this.forgetWaiting();
    this.tick();
  }

  pause(): void {
    this.wanted = false;
    this.tick();
  }

  seek(t_ms: number): void {
    this.clock.seek(t_ms);
    this.forgetWaiting();
    this.tick();
  }

  setRate(rate: number): void {
    this.clock.setRate(rate);
    this.tick();
  }

  tick(): void {
    if (this.wanted && this.clock.t_ms >= this.clock.duration_ms) this.wanted = false;
    if (this.wanted && this.skip_breaks) this.skipBreak();
    const t_ms = this.clock.t_ms;
    for (const track of this.tracks) track.load(t_ms);
    if (this.wanted && !this.mustWait(t_ms)) this.clock.start();
    else this.clock.stop();
    for (const track of this.tracks) this.follow(track, this.clock.t_ms);
  }

  close(): void {
    this.wanted = false;
    this.clock.stop();
    for (const track of this.tracks) track.close();
  }

  private skipBreak(): void {
    const here = intervalAt(this.intervals, this.clock.t_ms);
    if (here?.recorded !== "none" || here.t1_ms - here.t0_ms < SHORTEST_SKIP_MS) return;
    this.clock.seek(here.t1_ms);
    this.forgetWaiting();
  }

  private mustWait(t_ms: number): boolean {
    if (!this.tracks.some((track) => track.coverage(t_ms) === "loading")) {
      this.forgetWaiting();
      return false;
    }
    if (this.gave_up_waiting) return false;
    this.waited_since_ms ??= this.now();
    this.gave_up_waiting = this.now() - this.waited_since_ms > PATIENCE_MS;
    return !this.gave_up_waiting;
  }

  private forgetWaiting(): void {
    this.waited_since_ms = null;
    this.gave_up_waiting = false;
  }

  private follow(track: TrackPort, t_ms: number): void {
    if (track.coverage(t_ms) !== "ready") {
      track.pause();
      return;
    }
    if (track.heading_ms !== null && Math.abs(track.heading_ms - t_ms) < LOST_MS) return;
    const drift_ms = track.position_ms() - t_ms;
    if (this.clock.running) this.keepPace(track, t_ms, drift_ms);
    else this.stand(track, t_ms, drift_ms);
  }

  private keepPace(track: TrackPort, t_ms: number, drift_ms: number): void {
    const rate = this.clock.rate;
    const step = correction(drift_ms / rate, rate, track.kind);
    if (step.act === "seek" || !track.reaches(t_ms)) track.seek(t_ms + SEEK_LEAD_MS * rate);
    else track.setRate(step.rate);
    track.play();
  }

  private stand(track: TrackPort, t_ms: number, drift_ms: number): void {
    track.pause();
    if (Math.abs(drift_ms) > DEADBAND_MS) track.seek(t_ms);
  }
}

/** The interval of the sitting that holds this moment; the last one holds its own end. */
export function intervalAt(intervals: readonly RecordInterval[], t_ms: number): RecordInterval | null {
  const found = intervals.find((one) => t_ms >= one.t0_ms && t_ms < one.t1_ms);
  const last = intervals.at(-1);
  return found ?? (last && t_ms === last.t1_ms ? last : null);
}

/** The recorded segment that holds this moment, or ended just before it. Segments are in order of time. */
export function segmentAt(segments: readonly RecordSegment[], t_ms: number): RecordSegment | null {
  const within = segments.find((one) => t_ms >= one.t0_ms && t_ms < one.t1_ms);
  return within ?? segments.find((one) => t_ms >= one.t1_ms && t_ms < one.t1_ms + JOIN_MS) ?? null;
}

/** Segments to have in the browser when the playhead is here: the one under it first, then what comes. */
export function wantedSegments(segments: readonly RecordSegment[], t_ms: number, ahead_ms: number): readonly RecordSegment[] {
  return segments.filter((one) => one.t1_ms > t_ms && one.t0_ms < t_ms + ahead_ms);
}

/** Segments that may be let go: far behind the playhead, or farther ahead than anything about to be heard. */
export function spentSegments(
  segments: readonly RecordSegment[],
  t_ms: number,
  behind_ms: number,
  ahead_ms: number,
): readonly RecordSegment[] {
  return segments.filter((one) => one.t1_ms < t_ms - behind_ms || one.t0_ms > t_ms + ahead_ms);
}
