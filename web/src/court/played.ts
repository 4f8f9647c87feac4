/** What of a record was played in this page, for the access log. Plain TypeScript; times on the record clock. */
import type { Span } from "./replay";

/** Between two looks the clock runs this far at most; more is a jump. */
const JUMP_MS = 3000;
const SHORTEST_MS = 200;
const MOST_SPANS = 150;

export class PlayedLog {
  private spans: Span[] = [];
  private open: Span | null = null;

  /** Look at the replay: where it stands, and whether it plays. */
  note(t_ms: number, playing: boolean): void {
    const here = Math.round(t_ms);
    if (this.open && here >= this.open.t1_ms && here - this.open.t1_ms <= JUMP_MS) this.open.t1_ms = here;
    else this.finish();
    if (!playing) this.finish();
    else this.open ??= { t0_ms: here, t1_ms: here };
  }

  /** Everything since the last report, as one flat list, oldest first. */
  take(): number[] {
    const open = this.open;
    this.finish();
    if (open) this.open = { t0_ms: open.t1_ms, t1_ms: open.t1_ms };
    const reported = this.spans.slice(0, MOST_SPANS);
    this.spans = this.spans.slice(MOST_SPANS);
    return reported.flatMap((span) => [span.t0_ms, span.t1_ms]);
  }

  /** A report that did not come through: it goes with the next one. */
  giveBack(flat: readonly number[]): void {
    const back: Span[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) back.push({ t0_ms: flat[i] ?? 0, t1_ms: flat[i + 1] ?? 0 });
    this.spans = [...back, ...this.spans];
  }

  private finish(): void {
    if (this.open && this.open.t1_ms - this.open.t0_ms >= SHORTEST_MS) this.spans.push(this.open);
    this.open = null;
  }
}
