import { describe, expect, it } from "vitest";

import { added, advice, bars, current, fromHistory, inOrder, type Level, minutes, percent, rate, type Sample } from "@/court/quality";
import type { QualityMeasured } from "@/protocol";

const NOW = Date.parse("2026-11-22T01:15:00Z");
const NUMBERS: Omit<Sample, "atMs"> = {
  level: "good", up_loss: 0, down_loss: 0, rtt_ms: 30, jitter_ms: 2, up_bps: 500_000, down_bps: 900_000, estimate_bps: null, layers: "l,m,h", freezes: 0,
};
const sample = (agoMs: number, extra: Partial<Sample> = {}): Sample => ({ atMs: NOW - agoMs, ...NUMBERS, ...extra });
const measured = (who: string): QualityMeasured => ({ participant_id: who, ...NUMBERS });

describe("courses", () => {
  it("joins the history with what comes live, and takes one measurement once", () => {
    const courses = fromHistory({ people: [{ participant_id: "a", samples: [{ ...NUMBERS, at: new Date(NOW - 6_000).toISOString() }] }] });
    const twice = added(added(courses, measured("a"), NOW - 5_500), measured("a"), NOW);
    expect(twice.get("a")?.map((s) => s.atMs)).toEqual([NOW - 6_000, NOW]);
  });

  it("forgets what is older than a quarter of an hour", () => {
    const courses = new Map([["a", [sample(15 * 60_000 + 1), sample(60_000)]]]);
    expect(added(courses, measured("a"), NOW).get("a")).toHaveLength(2);
  });

  it("does not speak of now from an old measurement", () => {
    expect(current([sample(5_000)], NOW)).not.toBeNull();
    expect(current([sample(60_000)], NOW)).toBeNull();
    expect(current([], NOW)).toBeNull();
  });
});

describe("the graph and its table", () => {
  it("shows the worst of every stretch, and leaves stretches without measurement empty", () => {
    const drawn = bars([sample(1_000), sample(6_000, { level: "poor", up_loss: 0.2 }), sample(600_000, { down_loss: 0.05, level: "fair" })], NOW);
    expect(drawn).toHaveLength(2);
    expect(drawn.at(-1)).toMatchObject({ at: 59, height: 1, level: "poor" });
    expect(drawn[0]).toMatchObject({ at: 19, height: 0.5, level: "fair" });
  });

  it("draws a lost connection to the full height, whatever its loss was called", () => {
    expect(bars([sample(0, { level: "lost" })], NOW)[0]?.height).toBe(1);
  });

  it("says the same in minutes, newest first", () => {
    const rows = minutes([sample(70_000, { up_loss: 0.1, freezes: 1 }), sample(65_000, { freezes: 2, level: "fair" }), sample(5_000, { rtt_ms: null })], NOW);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ rttMs: null, freezes: 0 });
    expect(rows[1]).toMatchObject({ upLoss: 0.1, freezes: 3, level: "fair", rttMs: 30 });
  });
});

describe("words", () => {
  it("puts whoever is in trouble first and keeps the order of the room otherwise", () => {
    const levels: Record<string, Level | null> = { judge: "good", clerk: null, plaintiff: "lost", defendant: "fair" };
    expect(inOrder(Object.keys(levels), (p) => levels[p] ?? null)).toEqual(["plaintiff", "defendant", "judge", "clerk"]);
  });

  it("names the worse direction, or the delay", () => {
    expect(advice(sample(0))).toBeNull();
    expect(advice(sample(0, { level: "poor", up_loss: 0.2 }))).toBe("up");
    expect(advice(sample(0, { level: "fair", down_loss: 0.05 }))).toBe("down");
    expect(advice(sample(0, { level: "fair", rtt_ms: 400 }))).toBe("delay");
    expect(advice(sample(0, { level: "lost" }))).toBe("lost");
  });

  it("writes rates and shares as people read them", () => {
    expect([rate(1_234_000), rate(480_400), rate(0)]).toEqual(["1.2 Mbit/s", "480 kbit/s", "0 kbit/s"]);
    expect([percent(0), percent(0.004), percent(0.123), percent(1)]).toEqual(["0%", "0.4%", "12%", "100%"]);
  });
});
