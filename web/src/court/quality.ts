/** Everybody's path to the court over the last quarter of an hour. Plain TypeScript and pure. */
import type { QualityHistory, QualityMeasured, QualitySampleView } from "@/protocol";

export type Level = QualityMeasured["level"];

export interface Sample extends Omit<QualitySampleView, "at"> {
  atMs: number;
}

/** Samples by participant, oldest first. */
export type Courses = ReadonlyMap<string, readonly Sample[]>;

export const SPAN_MS = 15 * 60_000;
const SAME_MS = 2_000; // the history and the live event may both bring one measurement
const STALE_MS = 20_000; // measured every 5 s: whoever is unheard for so long is not connected
const BARS = 60; // one for every 15 s
const WORST = 0.2; // a fifth lost is as high as the graph goes: no speech gets through there

export function fromHistory(history: QualityHistory): Courses {
  return new Map(history.people.map(({ participant_id, samples }) => [participant_id, samples.map(({ at, ...rest }) => ({ ...rest, atMs: Date.parse(at) }))]));
}

/** Add a live measurement; what is older than the span goes. */
export function added(courses: Courses, { participant_id, ...rest }: QualityMeasured, atMs: number): Courses {
  const before = courses.get(participant_id) ?? [];
  const last = before.at(-1);
  if (last && atMs - last.atMs < SAME_MS) return courses;
  const kept = before.filter((sample) => atMs - sample.atMs < SPAN_MS);
  return new Map(courses).set(participant_id, [...kept, { ...rest, atMs }]);
}

export const worseLoss = (sample: Sample): number => Math.max(sample.up_loss, sample.down_loss);

/** The newest sample, unless it is too old to speak of now. */
export function current(samples: readonly Sample[], nowMs: number): Sample | null {
  const last = samples.at(-1);
  return last && nowMs - last.atMs < STALE_MS ? last : null;
}

export interface Bar {
  /** 0 (15 minutes ago) … BARS - 1 (now). */
  at: number;
  /** Share of the graph's height: the square root of the loss, so that 1 % can be seen beside 20 %. */
  height: number;
  level: Level;
}

const RANK: Record<Level, number> = { good: 0, fair: 1, poor: 2, lost: 3 };
const least = (level: Level) => (level === "lost" ? 1 : 0.06); // "good" leaves a trace: a gap means that nothing was measured

/** The worst of every stretch of the span that ends now; stretches without a measurement have no bar. */
export function bars(samples: readonly Sample[], nowMs: number): Bar[] {
  const worst = new Map<number, Bar>();
  for (const sample of samples) {
    const at = BARS - 1 - Math.floor(((nowMs - sample.atMs) / SPAN_MS) * BARS);
    if (at < 0 || at >= BARS) continue;
    const height = Math.max(least(sample.level), Math.min(1, Math.sqrt(worseLoss(sample) / WORST)));
    const before = worst.get(at);
    const level = before && RANK[before.level] > RANK[sample.level] ? before.level : sample.level;
    worst.set(at, { at, height: Math.max(height, before?.height ?? 0), level });
  }
  return [...worst.values()].sort((a, b) => a.at - b.at);
}

export const BAR_COUNT = BARS;

export interface Minute {
  atMs: number;
  level: Level;
  upLoss: number;
  downLoss: number;
  rttMs: number | null;
  freezes: number;
}

const most = (numbers: readonly number[]) => Math.max(0, ...numbers);

/** The same course in words: one row per minute, the worst of it, newest first. */
export function minutes(samples: readonly Sample[], nowMs: number): Minute[] {
  const byMinute = new Map<number, Sample[]>();
  for (const sample of samples) {
    if (nowMs - sample.atMs >= SPAN_MS) continue;
    const minute = Math.floor(sample.atMs / 60_000) * 60_000;
    byMinute.set(minute, [...(byMinute.get(minute) ?? []), sample]);
  }
  const rows = [...byMinute].map(([atMs, found]): Minute => {
    const rtts = found.flatMap((s) => (s.rtt_ms === null ? [] : [s.rtt_ms]));
    const level = found.reduce<Level>((worst, s) => (RANK[s.level] > RANK[worst] ? s.level : worst), "good");
    return {
      atMs,
      level,
      upLoss: most(found.map((s) => s.up_loss)),
      downLoss: most(found.map((s) => s.down_loss)),
      rttMs: rtts.length ? most(rtts) : null,
      freezes: found.reduce((n, s) => n + s.freezes, 0),
    };
  });
  return rows.sort((a, b) => b.atMs - a.atMs);
}

/** Those in trouble first; otherwise the order of the room. */
export function inOrder<Person>(people: readonly Person[], levelOf: (person: Person) => Level | null): Person[] {
  const rank = (person: Person) => RANK[levelOf(person) ?? "good"];
  return people.map((person, i) => ({ person, i })).sort((a, b) => rank(b.person) - rank(a.person) || a.i - b.i).map(({ person }) => person);
}

/** What hinders most, for one sentence of advice. Null: nothing needs to be done. */
export type Advice = "up" | "down" | "delay" | "lost";

export function advice(sample: Sample): Advice | null {
  if (sample.level === "lost") return "lost";
  if (sample.level === "good") return null;
  if (worseLoss(sample) >= 0.03) return sample.up_loss >= sample.down_loss ? "up" : "down";
  return (sample.rtt_ms ?? 0) >= 250 ? "delay" : null;
}

/** "1.2 Mbit/s" or "480 kbit/s". */
export function rate(bps: number): string {
  return bps >= 1_000_000 ? `${(bps / 1_000_000).toFixed(1)} Mbit/s` : `${Math.round(bps / 1_000)} kbit/s`;
}

/** "0.4%" below ten percent, "12%" above. */
export function percent(part: number): string {
  const value = part * 100;
  return `${value >= 9.95 || value === 0 ? Math.round(value) : value.toFixed(1)}%`;
}
