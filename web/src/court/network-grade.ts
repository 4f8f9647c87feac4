/** What measured numbers mean for a hearing: a grade, and the one thing to do about it. */
import type { NetworkResult } from "@/protocol";

import type { Snapshot } from "./network-test";

export interface Measured {
  upBps: number;
  downBps: number;
  upLoss: number;
  downLoss: number;
  upJitterMs: number | null;
  downJitterMs: number | null;
  rttMs: number | null;
}

/** What to name first when the grade is not good. */
export type Weakness = "slow_up" | "slow_down" | "loss" | "delay" | "jitter";

/** A voice takes 40 kbit/s, a camera 600 (VIDEO_BPS in leg.ts), and several people's pictures come in. */
const GOOD = { upBps: 700_000, downBps: 800_000, loss: 0.02, rttMs: 250, jitterMs: 40 };
const FAIR = { upBps: 200_000, downBps: 250_000, loss: 0.08, rttMs: 500, jitterMs: 100 };

function weaknesses(m: Measured, limits: typeof GOOD): Weakness[] {
  const found: Weakness[] = [];
  if (Math.max(m.upLoss, m.downLoss) > limits.loss) found.push("loss");
  if (m.upBps < limits.upBps) found.push("slow_up");
  if (m.downBps < limits.downBps) found.push("slow_down");
  if ((m.rttMs ?? 0) > limits.rttMs) found.push("delay");
  if (Math.max(m.upJitterMs ?? 0, m.downJitterMs ?? 0) > limits.jitterMs) found.push("jitter");
  return found;
}

export function judge(measured: Measured): { grade: NetworkResult["grade"]; weakness: Weakness | null } {
  const bad = weaknesses(measured, FAIR)[0];
  if (bad) return { grade: "poor", weakness: bad };
  const weak = weaknesses(measured, GOOD)[0];
  return weak ? { grade: "fair", weakness: weak } : { grade: "good", weakness: null };
}

const share = (lost: number, came: number) => (lost + came > 0 ? lost / (lost + came) : 0);

/** Rates come from the loaded part of a test (`best`), losses from the part that resembles a hearing (`from` to `to`). */
export function measured(from: Snapshot, to: Snapshot, best: { upBps: number; downBps: number }): Measured {
  const [a, b] = [from, to];
  return {
    upBps: Math.round(best.upBps),
    downBps: Math.round(best.downBps),
    upLoss: share(Math.max(0, b.there.up_lost - a.there.up_lost), b.there.up_packets - a.there.up_packets),
    downLoss: share(Math.max(0, b.here.lost - a.here.lost), b.here.packets - a.here.packets),
    upJitterMs: b.there.up_packets > 0 ? b.there.up_jitter_ms : null,
    downJitterMs: b.here.jitterMs,
    rttMs: b.here.rttMs,
  };
}

/** Bits per second that came back between two snapshots. */
export function downRate(from: Snapshot, to: Snapshot): number {
  const seconds = (to.atMs - from.atMs) / 1000;
  return seconds > 0 ? ((to.here.bytes - from.here.bytes) * 8) / seconds : 0;
}

const rounded = (value: number | null, digits: number) => (value === null ? null : Number(value.toFixed(digits)));

/** The form in which the clerk gets it. */
export function toResult(numbers: Measured, last: Snapshot, heard: boolean | null): NetworkResult {
  return {
    grade: judge(numbers).grade,
    path: last.here.path,
    family: last.here.family,
    up_bps: numbers.upBps,
    down_bps: numbers.downBps,
    up_loss: rounded(numbers.upLoss, 4),
    down_loss: rounded(numbers.downLoss, 4),
    up_jitter_ms: rounded(numbers.upJitterMs, 1),
    down_jitter_ms: rounded(numbers.downJitterMs, 1),
    rtt_ms: rounded(numbers.rttMs, 1),
    heard_own_voice: heard,
  };
}

export const NO_CONNECTION: NetworkResult = {
  grade: "failed", path: null, family: null, up_bps: null, down_bps: null, up_loss: null, down_loss: null,
  up_jitter_ms: null, down_jitter_ms: null, rtt_ms: null, heard_own_voice: null,
};

/** Mbit/s for people: 1.8, 0.35, 12. */
export function megabits(bps: number): string {
  const value = bps / 1_000_000;
  return value.toFixed(value < 1 ? 2 : value < 10 ? 1 : 0);
}
