import { describe, expect, it } from "vitest";

import { demands, type Laid } from "@/court/views";

const laid = (participantId: string, width: number, height: number, extra: Partial<Laid> = {}): Laid => ({ participantId, kind: "video", width, height, inView: true, ...extra });

describe("demands", () => {
  it("asks for the largest showing of a person, in device pixels", () => {
    expect(demands([laid("a", 160, 90), laid("a", 640, 360), laid("b", 160, 90)], 2, true)).toEqual([
      { participant_id: "a", kind: "video", height_px: 720 },
      { participant_id: "b", kind: "video", height_px: 180 },
    ]);
  });

  it("knows that a face covering a flat tile is higher than the tile, and that a screen fits into its own", () => {
    expect(demands([laid("a", 320, 90)], 1, true)[0]?.height_px).toBe(180);
    expect(demands([laid("a", 320, 90, { kind: "screen" })], 1, true)[0]?.height_px).toBe(90);
  });

  it("asks for nothing that is not seen: scrolled away, or the page hidden", () => {
    expect(demands([laid("a", 160, 90, { inView: false })], 1, true)[0]?.height_px).toBe(0);
    expect(demands([laid("a", 160, 90), laid("b", 160, 90)], 1, false).map((t) => t.height_px)).toEqual([0, 0]);
    expect(demands([laid("a", 160, 90, { inView: false }), laid("a", 160, 90)], 1, true)[0]?.height_px).toBe(90);
  });

  it("tells a person's screen from the face", () => {
    expect(demands([laid("a", 160, 90), laid("a", 800, 450, { kind: "screen" })], 1, true).map((t) => t.kind)).toEqual(["screen", "video"]);
  });
});
