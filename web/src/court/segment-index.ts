/**
 * Which recorded segments there are, fetched piece by piece: a three-hour hearing has tens of thousands.
 *
 * Plain TypeScript. A piece (SegmentPage) covers `page_ms` of the record clock; a few around the playhead are kept.
 */
import type { SegmentPage } from "../protocol";
import type { Span } from "./replay";

/** One recorded segment of a track. */
export interface Segment extends Span {
  index: number;
}

const MOST_PAGES = 6;
const RETRY_AFTER_MS = 2000;

export class SegmentIndex {
  private readonly pages = new Map<number, ReadonlyMap<string, readonly Segment[]>>();
  private readonly asked_at = new Map<number, number>();
  private merged = new Map<string, readonly Segment[]>();

  constructor(
    private readonly fetchPage: (page: number) => Promise<SegmentPage>,
    private readonly page_ms: number,
    private readonly changed: () => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Fetch what is missing of these stretches; keeps nearest what is nearest to `t_ms`. */
  need(t_ms: number, spans: readonly Span[]): void {
    const wanted = new Set([this.pageOf(t_ms), ...spans.flatMap((span) => [this.pageOf(span.t0_ms), this.pageOf(span.t1_ms)])]);
    for (const page of wanted) {
      const asked = this.asked_at.get(page);
      if (page >= 0 && !this.pages.has(page) && (asked === undefined || this.now() - asked > RETRY_AFTER_MS)) void this.bring(page);
    }
    const spare = [...this.pages.keys()].filter((page) => !wanted.has(page)).sort((a, b) => this.distance(b, t_ms) - this.distance(a, t_ms));
    const dropped = spare.slice(0, Math.max(0, this.pages.size - MOST_PAGES));
    for (const page of dropped) this.pages.delete(page);
    if (dropped.length) this.merged.clear();
  }

  /** Is it known what was recorded at this moment? */
  knows(t_ms: number): boolean {
    return this.pages.has(this.pageOf(t_ms));
  }

  /** Known segments of a track in order of time. */
  of(track_id: string): readonly Segment[] {
    const known = this.merged.get(track_id);
    if (known) return known;
    const unique = new Map<number, Segment>();
    for (const page of this.pages.values()) for (const one of page.get(track_id) ?? []) if (!unique.has(one.index)) unique.set(one.index, one);
    const segments = [...unique.values()].sort((a, b) => a.t0_ms - b.t0_ms);
    this.merged.set(track_id, segments);
    return segments;
  }

  private pageOf(t_ms: number): number {
    return Math.max(0, Math.floor(t_ms / this.page_ms));
  }

  private distance(page: number, t_ms: number): number {
    return Math.abs(page - this.pageOf(t_ms));
  }

  private async bring(page: number): Promise<void> {
    this.asked_at.set(page, this.now());
    try {
      const answer = await this.fetchPage(page);
      this.pages.set(page, new Map(answer.tracks.map((track) => [track.track_id, unpack(track.segments)])));
      this.merged.clear();
      this.asked_at.delete(page);
      this.changed();
    } catch {
      this.asked_at.set(page, this.now()); // asked again by a later need(); what went wrong is shown by who fetches
    }
  }
}

/** Triples of index, t0_ms, t1_ms out of the flat list. */
export function unpack(flat: readonly number[]): Segment[] {
  const segments: Segment[] = [];
  for (let i = 0; i + 2 < flat.length; i += 3) segments.push({ index: flat[i] ?? 0, t0_ms: flat[i + 1] ?? 0, t1_ms: flat[i + 2] ?? 0 });
  return segments;
}

/** Pairs of t0_ms, t1_ms out of a flat list. */
export function unpackSpans(flat: readonly number[]): Span[] {
  const spans: Span[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) spans.push({ t0_ms: flat[i] ?? 0, t1_ms: flat[i + 1] ?? 0 });
  return spans;
}
