import { describe, expect, it } from "vitest";

import { shape } from "@/court/encodings";

describe("shape", () => {
  it("gives the camera's layers their rates and sizes, whatever their order", () => {
    const parameters = { encodings: [{ rid: "h" }, { rid: "l" }, { rid: "m" }] };
    shape("video", parameters);
    expect(parameters.encodings).toMatchObject([
      { rid: "h", active: true, maxBitrate: 900_000, scaleResolutionDownBy: 1 },
      { rid: "l", active: true, maxBitrate: 120_000, scaleResolutionDownBy: 4 },
      { rid: "m", active: true, maxBitrate: 300_000, scaleResolutionDownBy: 2 },
    ]);
    expect(parameters).toMatchObject({ degradationPreference: "maintain-framerate" });
  });

  it("sends no layers that a small camera is not good for, and does not shrink what is small", () => {
    const layersOf = (area: number) => {
      const parameters = { encodings: [{ rid: "l" }, { rid: "m" }, { rid: "h" }] as RTCRtpEncodingParameters[] };
      shape("video", parameters, area);
      return parameters.encodings.filter((e) => e.active).map((e) => [e.rid, e.scaleResolutionDownBy]);
    };
    expect(layersOf(1280 * 720)).toEqual([["l", 4], ["m", 2], ["h", 1]]);
    expect(layersOf(640 * 480)).toEqual([["l", 2], ["m", 1]]);
    expect(layersOf(320 * 240)).toEqual([["l", 1]]);
  });

  it("lets a browser without layers send one whole picture", () => {
    const parameters = { encodings: [{}] };
    shape("video", parameters);
    expect(parameters.encodings[0]).toMatchObject({ maxBitrate: 900_000 });
    expect(parameters.encodings[0]).not.toHaveProperty("scaleResolutionDownBy");
  });

  it("puts speech before pictures, and sharpness before movement on a screen", () => {
    const voice = { encodings: [{}] };
    const screen = { encodings: [{}] };
    shape("audio", voice);
    shape("screen", screen);
    expect(voice.encodings[0]).toMatchObject({ priority: "high", networkPriority: "high" });
    expect(voice).not.toHaveProperty("degradationPreference");
    expect(screen).toMatchObject({ encodings: [{ priority: "low" }], degradationPreference: "maintain-resolution" });
  });
});
