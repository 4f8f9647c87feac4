import { describe, expect, it } from "vitest";

import { CourtClock, nextWallTime } from "@/court/clock";

const at = (iso: string) => Date.parse(iso);
const sample = (server_at: string, opened_at: string | null = "2026-11-20T01:00:00Z", closed_at: string | null = null) => ({ server_at, opened_at, closed_at });

describe("the record clock", () => {
  it("counts from 宣布开庭 on the server's clock, whatever this machine's clock says", () => {
    const clock = new CourtClock();
    const local = 5_000; // this machine believes it is 1970
    clock.sync(sample("2026-11-20T01:07:12Z"), local);
    expect(clock.recordMs(local + 1_000)).toBe((7 * 60 + 13) * 1000);
  });

  it("trusts the message that travelled fastest", () => {
    const clock = new CourtClock();
    clock.sync(sample("2026-11-20T01:00:10.000Z"), at("2026-11-20T01:00:10.050Z"));
    clock.sync(sample("2026-11-20T01:00:11.000Z"), at("2026-11-20T01:00:12.500Z")); // 1.5 s on the way
    expect(clock.recordMs(at("2026-11-20T01:00:20.050Z"))).toBe(20_000);
  });

  it("is not there before opening and stands still after closing", () => {
    const clock = new CourtClock();
    expect(clock.serverMs(0)).toBeNull();
    clock.sync(sample("2026-11-20T01:00:00Z", null), 0);
    expect(clock.recordMs(0)).toBeNull();
    clock.sync(sample("2026-11-20T02:00:00Z", "2026-11-20T01:00:00Z", "2026-11-20T01:30:00Z"), 0);
    expect(clock.recordMs(60_000)).toBe(30 * 60_000);
  });
});

describe("nextWallTime", () => {
  const now = at("2026-11-20T01:09:22Z"); // 09:09:22 in Beijing

  it("finds the time on the court's wall, today or tomorrow", () => {
    expect(new Date(nextWallTime("10:30", now) ?? 0).toISOString()).toBe("2026-11-20T02:30:00.000Z");
    expect(new Date(nextWallTime("09:00", now) ?? 0).toISOString()).toBe("2026-11-21T01:00:00.000Z");
    expect(new Date(nextWallTime("09:09", now) ?? 0).toISOString()).toBe("2026-11-21T01:09:00.000Z");
  });

  it("knows what is not a time", () => {
    for (const wrong of ["", "25:00", "9:7", "10:60", "十点"]) expect(nextWallTime(wrong, now)).toBeNull();
  });
});
