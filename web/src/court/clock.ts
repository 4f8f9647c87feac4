/**
 * The server's clock and the record clock (0 = 宣布开庭) as seen from this browser.
 *
 * Each message tells the server's time when it was sent; it arrives a little later. The sample that travelled fastest is
 * the best one: of the recent samples the largest (server − local) is taken.
 */
import type { SittingView } from "@/protocol";

import { clockTime } from "./court-time";

const SAMPLES = 16;

export class CourtClock {
  private readonly offsets: number[] = [];
  private openedAtMs: number | null = null;
  private closedAtMs: number | null = null;

  sync(sitting: Pick<SittingView, "server_at" | "opened_at" | "closed_at">, localMs: number): void {
    this.offsets.push(Date.parse(sitting.server_at) - localMs);
    if (this.offsets.length > SAMPLES) this.offsets.shift();
    this.openedAtMs = sitting.opened_at === null ? null : Date.parse(sitting.opened_at);
    this.closedAtMs = sitting.closed_at === null ? null : Date.parse(sitting.closed_at);
  }

  /** Server time (Unix ms) at local time `localMs`; null before the first message. */
  serverMs(localMs: number): number | null {
    return this.offsets.length === 0 ? null : localMs + Math.max(...this.offsets);
  }

  /** Record clock; null before 宣布开庭, standing still after 闭庭. */
  recordMs(localMs: number): number | null {
    const server = this.serverMs(localMs);
    if (server === null || this.openedAtMs === null) return null;
    return Math.max(0, Math.min(server, this.closedAtMs ?? Infinity) - this.openedAtMs);
  }
}

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;

/** The next moment (Unix ms) after `nowMs` at which the court's wall clock shows `hhmm`; null when it is not a time. */
export function nextWallTime(hhmm: string, nowMs: number): number | null {
  const match = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(hhmm);
  if (!match) return null;
  const [hours, minutes] = clockTime(new Date(nowMs)).split(":").map(Number);
  const ahead = (Number(match[1]) - (hours ?? 0)) * 60 + Number(match[2]) - (minutes ?? 0);
  const minute = Math.floor(nowMs / MINUTE_MS);
  return (minute + (ahead > 0 ? ahead : ahead + DAY_MINUTES)) * MINUTE_MS;
}
