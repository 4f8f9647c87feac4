/**
 * Notices within a second or two that nothing comes over a connection any more. A browser itself says "disconnected" only
 * after about five seconds; by then a judge has asked twice whether one can still be heard.
 */

const LOOK_EVERY_MS = 250;
const QUIET_AT_LEAST_MS = 900; // the server's feedback comes ten times a second while anything is sent to it
const QUIET_AT_MOST_MS = 2_600; // and its reports and checks once a second otherwise
const USUAL_GAPS = 3;
const ASLEEP_MS = 3_000; // this page itself stood still (a closed lid, a phone's lock): begin again

export type Heard = "quiet" | "back" | null;

/** Pure: what a count of things heard says at a moment. */
export class Listening {
  private count: number | null = null;
  private heardMs = 0;
  private lookedMs = 0;
  private usualMs = QUIET_AT_MOST_MS / USUAL_GAPS; // patient at first: the rhythm is not known yet
  private silent = false;

  /** "quiet" when nothing has come for too long, and again after as long as it takes at most; "back" at the first sign of life. */
  look(count: number | null, nowMs: number): Heard {
    const asleep = nowMs - this.lookedMs > ASLEEP_MS;
    this.lookedMs = nowMs;
    if (count === null || this.count === null || asleep) {
      this.count = count;
      this.heardMs = nowMs;
      return null;
    }
    return count === this.count ? this.nothing(nowMs) : this.something(count, nowMs);
  }

  private something(count: number, nowMs: number): Heard {
    const was = this.silent;
    if (!was) this.usualMs += (nowMs - this.heardMs - this.usualMs) / 8;
    this.count = count;
    this.heardMs = nowMs;
    this.silent = false;
    return was ? "back" : null;
  }

  private nothing(nowMs: number): Heard {
    const patience = this.silent ? QUIET_AT_MOST_MS : Math.max(QUIET_AT_LEAST_MS, USUAL_GAPS * this.usualMs);
    if (nowMs - this.heardMs < Math.min(QUIET_AT_MOST_MS, patience)) return null;
    this.heardMs = nowMs; // something is done about it now: count from here
    this.silent = true;
    return "quiet";
  }
}

/** Looks at one connection a few times a second and tells what has changed. */
export class Pulse {
  private timer: ReturnType<typeof setInterval> | undefined;
  private listening = new Listening();
  private looking = false;

  constructor(
    private readonly heard: () => Promise<number | null>,
    private readonly changed: (heard: "quiet" | "back") => void,
  ) {}

  /** Idempotent: what was heard so far is not forgotten. */
  start(): void {
    this.timer ??= setInterval(() => void this.look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.listening = new Listening();
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    const { listening } = this;
    const count = await this.heard().catch(() => null);
    this.looking = false;
    const heard = listening === this.listening && this.timer !== undefined ? listening.look(count, performance.now()) : null;
    if (heard) this.changed(heard);
  }
}
