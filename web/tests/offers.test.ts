import { describe, expect, it } from "vitest";

import { offeredTracks } from "@/court/offers";

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

  it("leaves out what is not granted any more: inactive, rejected, placeholder", () => {
    const sdp = offer(section("audio", "0", "inactive", "part_judge part_judge-audio"), section("video", "1", "sendonly", "part_judge x", 0), section("audio", "2", "sendonly", null), section("audio", "3", "recvonly", "me me-audio"));
    expect(offeredTracks(sdp)).toEqual([]);
  });
});
