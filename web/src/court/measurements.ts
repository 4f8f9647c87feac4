/** Reads the counters of both connections every few seconds and tells what they say. */
import { heldBack, measure, type Measured, type Row, type Snapshot } from "./stats";

const EVERY_MS = 5_000;
const HELD_BACK_TIMES = 3; // at the beginning every browser sends little and feels its way up

export interface Reading {
  up: RTCStatsReport | null;
  down: RTCStatsReport | null;
}

export interface MeasurementListener {
  measured(measured: Measured): void;
  /** The own picture has been sent smaller for a while because the path up is narrow; or is no longer. */
  narrow(narrow: boolean): void;
}

const rows = (report: RTCStatsReport | null): Row[] => {
  const found: Row[] = [];
  report?.forEach((row: Row) => found.push(row));
  return found;
};

export class Measurements {
  private timer: ReturnType<typeof setInterval> | undefined;
  private before: Snapshot | null = null;
  private narrowTimes = 0;

  constructor(
    private readonly read: () => Promise<Reading>,
    private readonly paused: (trackId: unknown) => boolean,
    private readonly listener: MeasurementListener,
  ) {}

  start(): void {
    if (this.timer === undefined) this.timer = setInterval(() => void this.take(), EVERY_MS);
  }

  stop(): void {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.anew();
  }

  /** The counters belong to other connections from now on. */
  anew(): void {
    this.before = null;
    this.narrowTimes = 0;
    this.listener.narrow(false);
  }

  private async take(): Promise<void> {
    const { up, down } = await this.read();
    if (this.timer === undefined || !up || !down) return;
    const now: Snapshot = { atMs: performance.now(), up: rows(up), down: rows(down) };
    if (this.before) this.listener.measured(measure(this.before, now, this.paused));
    this.before = now;
    this.narrowTimes = heldBack(now.up) ? this.narrowTimes + 1 : 0;
    this.listener.narrow(this.narrowTimes >= HELD_BACK_TIMES);
  }
}
