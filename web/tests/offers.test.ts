import { describe, expect, it } from "vitest";

import { offeredTracks, wantedLines } from "@/court/offers";

const section = (kind: string, mid: string, direction: string, msid: string | null, port = 9) =>
  [`m=${kind} ${port} UDP/TLS/RTP/SAVPF 111`, "c=IN IP4 0.0.0.0", `a=mid:${mid}`, `a=${direction}`, ...(msid ? [`a=msid:${msid}`] : []), ""].join("\r\n");
const offer = (...sections: string[]) => ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1", ""].join("\r\n") + sections.join("");

describe("offeredTracks", () => {
  it("reads whose voice and picture each m-line carries", () => {
    const sdp = offer(section("audio", "0", "sendonly", "part_judge part_judge-audio"), section("video", "1", "sendonly", "part_judge part_judge-video"), section("audio", "2", "sendrecv", "part_b part_b-audio"));
    expect(offeredTracks(sdp)).toEqual([
      { mid: "0", kind: "audio", participantId: "part_judge" },
      { mid: "1", kind: "video", participantId: "part_judge" },
      { mid: "2", kind: "audio", participantId: "part_b" },
    ]);
  });

  it("tells a shared screen from a face by the name of the track", () => {
    const sdp = offer(section("video", "0", "sendonly", "part_a part_a-video"), section("video", "1", "sendonly", "part_a part_a-screen"));
    expect(offeredTracks(sdp).map((t) => t.kind)).toEqual(["video", "screen"]);
  });

  it("leaves out what is not granted any more: inactive, rejected, placeholder", () => {
    const sdp = offer(section("audio", "0", "inactive", "part_judge part_judge-audio"), section("video", "1", "sendonly", "part_judge x", 0), section("audio", "2", "sendonly", null), section("audio", "3", "recvonly", "me me-audio"));
    expect(offeredTracks(sdp)).toEqual([]);
  });
});

describe("wantedLines", () => {
  it("reads voice, camera and screen from their order", () => {
    const sdp = offer(section("audio", "0", "recvonly", null), section("video", "1", "recvonly", null), section("video", "2", "recvonly", null));
    expect(wantedLines(sdp)).toEqual([
      { mid: "0", kind: "audio" },
      { mid: "1", kind: "video" },
      { mid: "2", kind: "screen" },
    ]);
  });

  it("skips a line that is not wanted now, and keeps the order of the others", () => {
    const sdp = offer(section("audio", "0", "recvonly", null), section("video", "1", "inactive", null), section("video", "2", "recvonly", null));
    expect(wantedLines(sdp).map((line) => line.kind)).toEqual(["audio", "screen"]);
  });
});
