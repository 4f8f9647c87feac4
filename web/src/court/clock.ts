/**
 * The server's clock and the record clock (0 = 宣布开庭) as seen from this browser.
 *
 * Each message tells the server's time when it was sent; it arrives a little later. The sample that travelled fastest is
 * the best one: of the recent samples the largest (server − local) is taken.
 */
import type { SittingView } from "@/protocol";

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

/** hh:mm:ss of the record clock; hours are not cut at 24. */
export function formatRecordMs(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

const ZONE = "Asia/Shanghai"; // the court's wall time, wherever the party sits
const wall = new Intl.DateTimeFormat("zh-CN", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const wallShort = new Intl.DateTimeFormat("zh-CN", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat("zh-CN", { timeZone: ZONE, year: "numeric", month: "long", day: "numeric", weekday: "long" });

export const formatWall = (at: number) => wall.format(at);
export const formatWallShort = (at: number) => wallShort.format(at);
export const formatDay = (at: number) => day.format(at);

/** 09:30 on the court's wall, the next time it comes after `nowMs`, as Unix ms; null when it is not a time. */
export function nextWallTime(hhmm: string, nowMs: number): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(hhmm);
  if (!match) return null;
  const [nowHours, nowMinutes] = wallShort.format(nowMs).split(":").map(Number);
  const ahead = (Number(match[1]) - (nowHours ?? 0)) * 60 + Number(match[2]) - (nowMinutes ?? 0);
  const minuteMs = 60_000;
  const at = Math.floor(nowMs / minuteMs) * minuteMs + ahead * minuteMs;
  return at > nowMs ? at : at + 24 * 60 * minuteMs;
}
