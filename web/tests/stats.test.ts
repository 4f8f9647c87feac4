import { describe, expect, it } from "vitest";

import { heldBack, measure, type Row, type Snapshot } from "@/court/stats";

const at = (atMs: number, up: Row[], down: Row[]): Snapshot => ({ atMs, up, down });
const voice = (extra: Row): Row => ({ id: "A", type: "inbound-rtp", kind: "audio", packetsReceived: 0, packetsLost: 0, ...extra });
const face = (id: string, extra: Row): Row => ({ id, type: "inbound-rtp", kind: "video", trackIdentifier: id, packetsReceived: 0, packetsLost: 0, ...extra });

describe("measure", () => {
  it("counts only what came in the interval", () => {
    const before = at(1_000, [], [voice({ packetsReceived: 1_000, packetsLost: 500 }), face("V", { packetsReceived: 400, packetsLost: 0 })]);
    const now = at(6_000, [], [voice({ packetsReceived: 1_240, packetsLost: 510, jitter: 0.012 }), face("V", { packetsReceived: 550, packetsLost: 0, framesDecoded: 100 })]);
    const measured = measure(before, now);
    expect(measured.down_loss).toBeCloseTo(10 / 400);
    expect(measured.jitter_ms).toBeCloseTo(12);
    expect(measured.frames_per_s).toBeCloseTo(20);
  });

  it("takes the way up from the server's reports, and the round trip from the pair in use", () => {
    const sent = (n: number): Row => ({ id: "O", type: "outbound-rtp", kind: "audio", packetsSent: n });
    const reported = (n: number): Row => ({ id: "R", type: "remote-inbound-rtp", packetsLost: n });
    const pairs: Row[] = [
      { id: "P1", type: "candidate-pair", currentRoundTripTime: 0.9 },
      { id: "P2", type: "candidate-pair", currentRoundTripTime: 0.04 },
      { id: "T", type: "transport", selectedCandidatePairId: "P2" },
    ];
    const measured = measure(at(0, [sent(0), reported(0)], []), at(5_000, [sent(200), reported(20), ...pairs], []));
    expect(measured.up_loss).toBeCloseTo(0.1);
    expect(measured.rtt_ms).toBeCloseTo(40);
  });

  it("finds Firefox's pair by its nomination, and says nothing of a round trip nobody measured", () => {
    const pair: Row = { id: "P", type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.025 };
    expect(measure(at(0, [], []), at(5_000, [pair], [])).rtt_ms).toBeCloseTo(25);
    expect(measure(at(0, [], []), at(5_000, [], [])).rtt_ms).toBeNull();
  });

  it("does not call a picture frozen that the server kept back", () => {
    const before = at(0, [], [face("V", { freezeCount: 1 }), face("W", { freezeCount: 0 })]);
    const now = at(5_000, [], [face("V", { freezeCount: 3, framesDecoded: 10 }), face("W", { freezeCount: 1, framesDecoded: 50 })]);
    expect(measure(before, now).freezes).toBe(3);
    expect(measure(before, now, (track) => track === "V").freezes).toBe(1);
    expect(measure(before, now, (track) => track === "V").frames_per_s).toBeCloseTo(10);
  });

  it("reports sound that was made up, but not silence", () => {
    const now = at(5_000, [], [voice({ concealedSamples: 3_000, silentConcealedSamples: 600, totalSamplesReceived: 240_000 })]);
    expect(measure(at(0, [], []), now).concealed).toBeCloseTo(0.01);
  });

  it("stays within 0 and 1 when a lost packet comes after all", () => {
    const measured = measure(at(0, [], [voice({ packetsReceived: 10, packetsLost: 5 })]), at(5_000, [], [voice({ packetsReceived: 20, packetsLost: 2 })]));
    expect(measured.down_loss).toBe(0);
  });
});

describe("heldBack", () => {
  const camera = (framesPerSecond: number, extra: Row = {}): Row => ({ id: "O", type: "outbound-rtp", kind: "video", framesPerSecond, qualityLimitationReason: "bandwidth", ...extra });
  it("is told when only the smallest layer goes up", () => {
    expect(heldBack([camera(20), camera(0), camera(0)])).toBe(true);
    expect(heldBack([camera(20), camera(20), camera(0)])).toBe(false);
  });
  it("is told of a browser that sends one layer", () => {
    expect(heldBack([camera(20)])).toBe(true);
    expect(heldBack([camera(20, { qualityLimitationReason: "none" })])).toBe(false);
  });
  it("is about the camera and the bandwidth only", () => {
    expect(heldBack([camera(20, { qualityLimitationReason: "cpu" })])).toBe(false);
    expect(heldBack([camera(20, { contentType: "screenshare" })])).toBe(false);
    expect(heldBack([camera(20, { active: false })])).toBe(false);
  });
});
