import { describe, expect, it } from "vitest";

import { type Heard, Listening } from "@/court/pulse";

const LOOK_MS = 400;

/** What is said over a course of counts, one look after another. */
function course(counts: readonly (number | null)[], listening = new Listening(), fromMs = 10_000): Heard[] {
  return counts.map((count, i) => listening.look(count, fromMs + i * LOOK_MS));
}
const lively = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

describe("Listening", () => {
  it("says quiet within two seconds where something usually comes at every look", () => {
    const said = course([...lively(20), ...Array.from({ length: 5 }, () => 20)]);
    expect(said.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => null));
    expect(said.indexOf("quiet")).toBeGreaterThan(20);
    expect((said.indexOf("quiet") - 19) * LOOK_MS).toBeLessThanOrEqual(1_600);
  });

  it("is patient where little comes: a check once in two seconds is enough", () => {
    const sparse = Array.from({ length: 60 }, (_, i) => Math.floor(i / 5));
    expect(course(sparse)).not.toContain("quiet");
  });

  it("says back at the first sign of life, and quiet again when the remedy did not help", () => {
    const listening = new Listening();
    const silence = Array.from({ length: 4 }, () => 20);
    expect(course([...lively(20), ...silence], listening)).toContain("quiet");
    expect(course([20, 21], listening, 10_000 + 24 * LOOK_MS)).toEqual([null, "back"]);
    const still = new Listening();
    const said = course([...lively(20), ...Array.from({ length: 14 }, () => 20)], still);
    expect(said.filter((s) => s === "quiet")).toHaveLength(2);
  });

  it("begins again after this page stood still, and knows nothing before the first count", () => {
    const listening = new Listening();
    course(lively(5), listening);
    expect(listening.look(5, 60_000)).toBe(null);
    expect(listening.look(5, 60_400)).toBe(null);
    expect(course([null, null, null, null, null, null, null])).not.toContain("quiet");
  });
});
