/**
 * Replay of a sitting: one record clock leads, every recorded track follows it.
 *
 * Plain TypeScript: no Vue, no DOM. A track is a port (TrackPort); segmented-track.ts is the real one over MediaSource.
 * All times are milliseconds on the record clock (0 = 宣布开庭).
 */
import type { RecordInterval, RecordTrack } from "../protocol";
import type { Segment } from "./segment-index";

export interface Span {
  t0_ms: number;
  t1_ms: number;
}

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
  /** Fetch what will be played next (`coming`, nothing for a track that is not wanted) and let go of the rest. */
  load(t_ms: number, coming: readonly Span[]): void;
  close(): void;
}

/** How much a track matters: the replay waits for what is heard and for the large picture, the rest joins when it can. */
export type Want = "essential" | "extra" | "no";

/** Within this offset a track is left alone: an element's own clock is only that exact. */
export const DEADBAND_MS = 20;
/** A track whose rate is being bent is brought this close before it is left alone again. */
export const SETTLED_MS = 5;
/** Beyond this offset a track jumps; below it the rate is bent a little, which nobody hears. */
export const SEEK_BEYOND_MS = 200;
/** What a jump while playing costs, until it was measured for this track; aiming ahead saves a second jump. */
const SEEK_LEAD_MS = 60;
const MOST_LEAD_MS = 1500;
/** A jump that has not arrived when the clock is this far from its goal goes to the wrong place: jump again. */
const LOST_MS = 1500;
/** How long the clock waits for data before it goes on without the late track. */
export const PATIENCE_MS = 8000;
/** Two segments this close belong together: their ends are rounded to frames. */
const JOIN_MS = 150;
/** A stretch shorter than this is not worth skipping. */
const SHORTEST_SKIP_MS = 500;
/** This much of what will be played next is fetched. */
export const AHEAD_MS = 25_000;

export type Correction = { act: "hold"; rate: number } | { act: "bend"; rate: number } | { act: "seek" };

/** How a playing track gets back to the clock. `drift_ms` > 0: the track is ahead; `bending`: it is on its way back. */
export function correction(drift_ms: number, rate: number, kind: RecordTrack["kind"], bending = false): Correction {
  const off_ms = Math.abs(drift_ms);
  if (off_ms > SEEK_BEYOND_MS) return { act: "seek" };
  if (off_ms <= (bending ? SETTLED_MS : DEADBAND_MS)) return { act: "hold", rate };
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

/** What the synchroniser remembers of a track. */
interface Following {
  want: Want;
  bending: boolean;
  /** Where it was put while the clock stood; null when it has moved since. */
  stood_ms: number | null;
  /** When it set out on a jump while playing. */
  sought_at_ms: number | null;
  lead_ms: number;
}

/** Keeps every track on the clock. Call tick() several times a second, and when a track has news. */
export class Replay {
  private wanted = false;
  /** The clock stands until every essential track is in its place: after a jump all start together. */
  private gathering = true;
  private waited_since_ms: number | null = null;
  private gave_up_waiting = false;
  private readonly following = new Map<string, Following>();
  /** While true nothing is given up: the network is away, and what is missing will come. */
  hold = false;
  /** Stretches to leave out while playing, in order of time, never overlapping. */
  skips: readonly Span[] = [];

  constructor(
    readonly clock: ReplayClock,
    private readonly tracks: readonly TrackPort[],
    private readonly now: () => number,
  ) {
    for (const track of tracks) {
      const want = track.kind === "audio" ? "essential" : "extra";
      this.following.set(track.track_id, { want, bending: false, stood_ms: null, sought_at_ms: null, lead_ms: SEEK_LEAD_MS });
    }
  }

  get state(): ReplayState {
    if (this.wanted) return this.clock.running ? "playing" : "waiting";
    return this.clock.t_ms >= this.clock.duration_ms && this.clock.duration_ms > 0 ? "ended" : "paused";
  }

  want(track_id: string, want: Want): void {
    const own = this.following.get(track_id);
    if (own) own.want = want;
  }

  play(): void {
    if (this.clock.t_ms >= this.clock.duration_ms) this.clock.seek(0);
    this.wanted = true;
    this.gather();
    this.tick();
  }

  pause(): void {
    this.wanted = false;
    this.tick();
  }

  seek(t_ms: number): void {
    this.clock.seek(t_ms);
    this.gather();
    this.tick();
  }

  setRate(rate: number): void {
    this.clock.setRate(rate);
    this.tick();
  }

  tick(): void {
    if (this.wanted && this.clock.t_ms >= this.clock.duration_ms) this.wanted = false;
    if (this.wanted) this.skip();
    const t_ms = this.clock.t_ms;
    const coming = playOrder(t_ms, AHEAD_MS * Math.max(1, this.clock.rate), this.skips);
    for (const track of this.tracks) track.load(t_ms, this.wantOf(track) === "no" ? [] : coming);
    if (this.gathering && !this.clock.running) for (const track of this.tracks) this.follow(track, t_ms);
    if (this.wanted && !this.mustWait(t_ms)) this.clock.start();
    else this.clock.stop();
    for (const track of this.tracks) this.follow(track, this.clock.t_ms);
  }

  close(): void {
    this.wanted = false;
    this.clock.stop();
    for (const track of this.tracks) track.close();
  }

  private wantOf(track: TrackPort): Want {
    return this.following.get(track.track_id)?.want ?? "no";
  }

  private gather(): void {
    this.gathering = true;
    this.waited_since_ms = null;
    this.gave_up_waiting = false;
    if (!this.clock.running) return;
    this.clock.stop();
  }

  private skip(): void {
    const t_ms = this.clock.t_ms;
    const here = this.skips.find((one) => t_ms >= one.t0_ms && t_ms < one.t1_ms);
    if (!here || here.t1_ms - here.t0_ms < SHORTEST_SKIP_MS) return;
    this.clock.seek(here.t1_ms);
    this.gather();
  }

  private mustWait(t_ms: number): boolean {
    const essential = this.tracks.filter((track) => this.wantOf(track) === "essential");
    if (!essential.some((track) => this.isLate(track, t_ms))) {
      this.gathering = false;
      this.waited_since_ms = null;
      this.gave_up_waiting = false;
      return false;
    }
    if (this.gave_up_waiting) return false;
    this.waited_since_ms ??= this.now();
    this.gave_up_waiting = !this.hold && this.now() - this.waited_since_ms > PATIENCE_MS;
    if (this.gave_up_waiting) this.gathering = false;
    return !this.gave_up_waiting;
  }

  private isLate(track: TrackPort, t_ms: number): boolean {
    const coverage = track.coverage(t_ms);
    if (coverage === "loading") return this.gathering || track.kind === "audio"; // a picture that comes late joins later
    if (!this.gathering || coverage !== "ready") return false;
    return track.heading_ms !== null || this.following.get(track.track_id)?.stood_ms !== t_ms;
  }

  private follow(track: TrackPort, t_ms: number): void {
    const own = this.following.get(track.track_id);
    if (!own) return;
    if (own.want === "no" || track.coverage(t_ms) !== "ready") {
      track.pause();
      own.stood_ms = own.sought_at_ms = null;
    } else if (this.clock.running) this.keepPace(track, own, t_ms);
    else this.stand(track, own, t_ms);
  }

  private keepPace(track: TrackPort, own: Following, t_ms: number): void {
    own.stood_ms = null;
    if (track.heading_ms !== null && Math.abs(track.heading_ms - t_ms) < LOST_MS + own.lead_ms) return;
    if (own.sought_at_ms !== null && track.heading_ms === null) {
      own.lead_ms = Math.min(MOST_LEAD_MS, (own.lead_ms + this.now() - own.sought_at_ms) / 2);
      own.sought_at_ms = null;
    }
    const rate = this.clock.rate;
    const step = correction((track.position_ms() - t_ms) / rate, rate, track.kind, own.bending);
    own.bending = step.act === "bend";
    if (step.act === "seek" || !track.reaches(t_ms)) {
      own.sought_at_ms = this.now();
      track.seek(t_ms + own.lead_ms * rate);
    } else track.setRate(step.rate);
    track.play();
  }

  private stand(track: TrackPort, own: Following, t_ms: number): void {
    track.pause();
    own.sought_at_ms = null;
    if (own.stood_ms === t_ms) return;
    if (track.heading_ms !== null && track.heading_ms !== t_ms && Math.abs(track.heading_ms - t_ms) < LOST_MS) return; // then from there
    own.stood_ms = t_ms;
    own.bending = false;
    track.setRate(this.clock.rate);
    if (track.heading_ms !== null || Math.abs(track.position_ms() - t_ms) > SETTLED_MS) track.seek(t_ms);
  }
}

/** What will be played next from here, this much in all, with what is skipped left out. */
export function playOrder(t_ms: number, ahead_ms: number, skips: readonly Span[]): Span[] {
  const spans: Span[] = [];
  let at = t_ms;
  let left = ahead_ms;
  for (const skip of skips) {
    if (skip.t1_ms <= at || skip.t1_ms - skip.t0_ms < SHORTEST_SKIP_MS) continue;
    if (skip.t0_ms - at >= left) break;
    if (skip.t0_ms > at) {
      spans.push({ t0_ms: at, t1_ms: skip.t0_ms });
      left -= skip.t0_ms - at;
    }
    at = skip.t1_ms;
  }
  spans.push({ t0_ms: at, t1_ms: at + left });
  return spans;
}

/** Stretches joined where they touch, in order of time. */
export function union(spans: readonly Span[]): Span[] {
  const result: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.t0_ms - b.t0_ms)) {
    const last = result.at(-1);
    if (last && span.t0_ms <= last.t1_ms) last.t1_ms = Math.max(last.t1_ms, span.t1_ms);
    else result.push({ ...span });
  }
  return result;
}

/** The interval of the sitting that holds this moment; the last one holds its own end. */
export function intervalAt(intervals: readonly RecordInterval[], t_ms: number): RecordInterval | null {
  const found = intervals.find((one) => t_ms >= one.t0_ms && t_ms < one.t1_ms);
  const last = intervals.at(-1);
  return found ?? (last && t_ms === last.t1_ms ? last : null);
}

/** The recorded segment that holds this moment, or ended just before it. Segments are in order of time. */
export function segmentAt(segments: readonly Segment[], t_ms: number): Segment | null {
  const within = segments.find((one) => t_ms >= one.t0_ms && t_ms < one.t1_ms);
  return within ?? segments.find((one) => t_ms >= one.t1_ms && t_ms < one.t1_ms + JOIN_MS) ?? null;
}

/** Segments to have in the browser: what is played next, in the order in which it will be. */
export function wantedSegments(segments: readonly Segment[], coming: readonly Span[]): readonly Segment[] {
  return coming.flatMap((span) => segments.filter((one) => one.t1_ms > span.t0_ms && one.t0_ms < span.t1_ms));
}

/** Segments that may be let go: neither played next nor close to the playhead. */
export function spentSegments(segments: readonly Segment[], t_ms: number, coming: readonly Span[], around: Span): readonly Segment[] {
  const kept = new Set(wantedSegments(segments, [...coming, { t0_ms: t_ms - around.t0_ms, t1_ms: t_ms + around.t1_ms }]));
  return segments.filter((one) => !kept.has(one));
}
