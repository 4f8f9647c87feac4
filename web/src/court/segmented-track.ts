/**
 * One recorded track in a media element, fed segment by segment through MediaSource.
 *
 * Each segment is a small WebM of its own whose times begin at 0; `timestampOffset` puts it on the record clock, so the
 * element's currentTime is record time. Only what lies around the playhead is fetched and kept.
 */
import type { RecordTrack } from "../protocol";
import { segmentAt, spentSegments, wantedSegments, type Coverage, type Span, type TrackPort } from "./replay";
import type { Segment } from "./segment-index";

/** Kept before and after the playhead: a short jump back, and forward again, costs nothing. */
const AROUND: Span = { t0_ms: 15_000, t1_ms: 40_000 };
/** Frames end a little before their segment does; within this the playhead counts as covered. */
const EDGE_S = 0.12;
/** A segment that failed is asked for again after this. */
const RETRY_AFTER_MS = 5000;

/** After a request that did not reach the server. */
const ASK_AGAIN_MS = 1500;

const PICTURE = 'video/webm; codecs="vp8"';
const MIME = { audio: 'audio/webm; codecs="opus"', video: PICTURE, screen: PICTURE } as const;

type SourceClass = typeof MediaSource;

/** MediaSource, or the managed one of newer iPhones; null where neither exists. */
function sourceClass(): SourceClass | null {
  const scope = globalThis as { MediaSource?: SourceClass; ManagedMediaSource?: SourceClass };
  return scope.MediaSource ?? scope.ManagedMediaSource ?? null;
}

/** Can this browser replay recorded tracks at all? */
export function canReplay(): boolean {
  const source = sourceClass();
  return source !== null && source.isTypeSupported(MIME.audio) && source.isTypeSupported(MIME.video);
}

/** Where a track's segments come from. */
export interface SegmentSource {
  /** Is it known what was recorded at this moment? */
  knows(t_ms: number): boolean;
  of(track_id: string): readonly Segment[];
  /** Rejects when the server refuses; with NotNow when it could not be asked. */
  fetch(track_id: string, index: number, signal: AbortSignal): Promise<ArrayBuffer>;
  /** A track arrived somewhere, or has new data: look at the replay again. */
  changed(): void;
}

/** The server could not be reached: nothing is known about the segment, ask again. */
export class NotNow extends Error {}

export class SegmentedTrack implements TrackPort {
  readonly track_id: string;
  readonly kind: TrackPort["kind"];
  private readonly loaded = new Map<number, Segment>();
  private readonly failed_at = new Map<number, number>();
  private buffer: SourceBuffer | null = null;
  private media: MediaSource | null = null;
  private address = "";
  private busy: { index: number; abort: AbortController } | null = null;
  private not_before_ms = 0;
  private target_ms = 0;
  private coming: readonly Span[] = [];
  private readonly arrived = () => this.source.changed();
  private goal_ms = 0;
  private closed = false;

  constructor(
    private readonly element: HTMLMediaElement,
    track: RecordTrack,
    private readonly duration_ms: number,
    private readonly source: SegmentSource,
  ) {
    this.track_id = track.track_id;
    this.kind = track.kind;
    element.preservesPitch = true;
    element.addEventListener("seeked", this.arrived);
    this.open();
  }

  get heading_ms(): number | null {
    return this.element.seeking ? this.goal_ms : null;
  }

  coverage(t_ms: number): Coverage {
    if (!this.source.knows(t_ms)) return "loading";
    const segment = segmentAt(this.segments, t_ms);
    if (!segment) return "none";
    if (this.failed_at.has(segment.index)) return "failed";
    if (!this.loaded.has(segment.index)) return "loading";
    return this.rangeAt(t_ms / 1000) ? "ready" : "none";
  }

  position_ms(): number {
    return this.element.currentTime * 1000;
  }

  reaches(t_ms: number): boolean {
    const range = this.rangeAt(t_ms / 1000);
    const position_s = this.element.currentTime;
    return range !== null && position_s >= range.start_s && position_s <= range.end_s;
  }

  seek(t_ms: number): void {
    const t_s = t_ms / 1000;
    const range = this.rangeAt(t_s);
    this.goal_ms = t_ms;
    // Outside the frames, or on the last one while more may come, a seek would wait for ever.
    this.element.currentTime = range ? Math.max(range.start_s, Math.min(range.end_s - EDGE_S, t_s)) : t_s;
  }

  play(): void {
    // play() is refused only before the first tap on the page, and the replay starts with one.
    if (this.element.paused) this.element.play().catch(() => undefined);
  }

  pause(): void {
    if (!this.element.paused) this.element.pause();
  }

  setRate(rate: number): void {
    if (this.element.playbackRate !== rate) this.element.playbackRate = rate;
  }

  load(t_ms: number, coming: readonly Span[]): void {
    this.target_ms = t_ms;
    this.coming = coming;
    if (this.closed || !this.buffer || this.buffer.updating) return;
    const wanted = wantedSegments(this.segments, coming);
    if (this.busy) {
      if (!wanted.some((one) => one.index === this.busy?.index)) this.busy.abort.abort();
      return;
    }
    if (this.dropSpent() || performance.now() < this.not_before_ms) return;
    const next = wanted.find((one) => !this.loaded.has(one.index) && this.mayAsk(one.index));
    if (next) void this.bring(next);
  }

  close(): void {
    this.closed = true;
    this.element.removeEventListener("seeked", this.arrived);
    this.busy?.abort.abort();
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
    URL.revokeObjectURL(this.address);
  }

  private open(): void {
    const Source = sourceClass();
    if (!Source) return;
    const source = new Source();
    this.media = source;
    this.address = URL.createObjectURL(source);
    this.element.disableRemotePlayback = true;
    this.element.src = this.address;
    source.addEventListener("sourceopen", () => this.opened(source), { once: true });
  }

  private opened(source: MediaSource): void {
    if (this.closed || source !== this.media) return;
    source.duration = this.duration_ms / 1000;
    const buffer = source.addSourceBuffer(MIME[this.kind]);
    buffer.mode = "segments";
    this.buffer = buffer;
    this.load(this.target_ms, this.coming);
  }

  /** The decoder gave up: start with a fresh source; the segment that broke it stays marked as failed. */
  private reopen(): void {
    URL.revokeObjectURL(this.address);
    this.buffer = null;
    this.loaded.clear();
    this.open();
  }

  private mayAsk(index: number): boolean {
    const failed = this.failed_at.get(index);
    return failed === undefined || performance.now() - failed > RETRY_AFTER_MS;
  }

  private get segments(): readonly Segment[] {
    return this.source.of(this.track_id);
  }

  private async bring(segment: Segment): Promise<void> {
    const abort = new AbortController();
    this.busy = { index: segment.index, abort };
    try {
      const bytes = await this.source.fetch(this.track_id, segment.index, abort.signal);
      if (!this.closed) await this.append(segment, bytes);
      this.failed_at.delete(segment.index);
      this.loaded.set(segment.index, segment);
    } catch (error) {
      if (error instanceof NotNow) this.not_before_ms = performance.now() + ASK_AGAIN_MS;
      else if (!abort.signal.aborted) this.fail(segment);
    } finally {
      this.busy = null;
    }
    this.load(this.target_ms, this.coming);
    this.source.changed();
  }

  private fail(segment: Segment): void {
    this.failed_at.set(segment.index, performance.now());
    if (this.closed) return;
    if (this.element.error || this.media?.readyState !== "open") this.reopen();
  }

  private async append(segment: Segment, bytes: ArrayBuffer): Promise<void> {
    const buffer = this.buffer;
    if (!buffer) throw new Error("no source buffer");
    const next = this.segments.find((one) => one.t0_ms > segment.t0_ms);
    buffer.timestampOffset = segment.t0_ms / 1000;
    // Without this a segment loaded late would overwrite the first key frame of the one that follows it.
    buffer.appendWindowEnd = next ? next.t0_ms / 1000 : Infinity;
    buffer.appendBuffer(bytes);
    await settled(buffer);
  }

  private dropSpent(): boolean {
    const [segment] = spentSegments([...this.loaded.values()], this.target_ms, this.coming, AROUND);
    if (!segment || !this.buffer) return false;
    this.loaded.delete(segment.index);
    this.buffer.remove(segment.t0_ms / 1000, segment.t1_ms / 1000);
    void settled(this.buffer).then(
      () => this.load(this.target_ms, this.coming),
      () => undefined,
    );
    return true;
  }

  private rangeAt(t_s: number): { start_s: number; end_s: number } | null {
    const ranges = this.element.buffered;
    for (let i = 0; i < ranges.length; i += 1) {
      const start_s = ranges.start(i);
      const end_s = ranges.end(i);
      if (t_s >= start_s - EDGE_S && t_s <= end_s + EDGE_S) return { start_s, end_s };
    }
    return null;
  }
}

function settled(buffer: SourceBuffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (event: Event) => {
      buffer.removeEventListener("updateend", done);
      buffer.removeEventListener("error", done);
      if (event.type === "error") reject(new Error("the browser could not read a segment"));
      else resolve();
    };
    buffer.addEventListener("updateend", done);
    buffer.addEventListener("error", done);
  });
}
