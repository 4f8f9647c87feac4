import { describe, expect, it } from "vitest";

import { downRate, judge, measured, type Measured, megabits, toResult } from "@/court/network-grade";
import { familyOf, pathOf, rtcServers, serversOn } from "@/court/network-paths";
import type { Snapshot } from "@/court/network-test";
import { readStats } from "@/court/path-stats";
import type { IceServerView } from "@/protocol";

const SERVERS: IceServerView[] = [
  { urls: ["stun:stun.court.cn"], username: null, credential: null },
  { urls: ["turn:turn.court.cn:3478", "turn:turn.court.cn:3478?transport=tcp", "turns:turn.court.cn:443?transport=tcp"], username: "1:p", credential: "x" },
];

describe("paths", () => {
  it("are told by scheme and transport", () => {
    expect(["turn:a", "turn:a?transport=udp", "turn:a:1?transport=tcp", "TURNS:a:443", "stun:a"].map(pathOf)).toEqual(["relay_udp", "relay_udp", "relay_tcp", "relay_tls", null]);
  });

  it("use only their own relays, with the credentials", () => {
    expect(serversOn("relay_tls", SERVERS)).toEqual([{ urls: ["turns:turn.court.cn:443?transport=tcp"], username: "1:p", credential: "x" }]);
    expect(serversOn("direct", SERVERS)).toEqual([]);
  });

  it("give the browser no empty credentials", () => {
    expect(rtcServers(SERVERS)[0]).toEqual({ urls: ["stun:stun.court.cn"] });
  });

  it("know IPv4 from IPv6, and a hidden address from both", () => {
    expect(["192.0.2.1", "2001:db8::1", "8a7f.local", undefined].map((a) => familyOf(a))).toEqual(["ipv4", "ipv6", null, null]);
  });
});

const pair = { id: "pair", type: "candidate-pair", localCandidateId: "l", remoteCandidateId: "r", nominated: true, state: "succeeded", currentRoundTripTime: 0.03 };
const ends = (local: object) => [
  { id: "l", type: "local-candidate", ...local },
  { id: "r", type: "remote-candidate", candidateType: "host", address: "203.0.113.9" },
];
const sound = { id: "a", type: "inbound-rtp", kind: "audio", packetsReceived: 100, packetsLost: 4, bytesReceived: 8_000, jitter: 0.004, totalAudioEnergy: 0.2 };
const picture = { id: "v", type: "inbound-rtp", kind: "video", packetsReceived: 300, packetsLost: -1, bytesReceived: 300_000, jitter: 0.012 };

describe("statistics", () => {
  it("tell the relay's protocol, and both kinds together", () => {
    const stats = readStats([{ id: "t", type: "transport", selectedCandidatePairId: "pair" }, pair, ...ends({ candidateType: "relay", relayProtocol: "tls" }), sound, picture]);
    expect(stats).toEqual({ path: "relay_tls", family: "ipv4", rttMs: 30, packets: 400, lost: 3, bytes: 308_000, jitterMs: 4, energy: 0.2 });
  });

  it("find the pair of a browser that has no transport report", () => {
    expect(readStats([pair, ...ends({ candidateType: "prflx" })]).path).toBe("direct");
  });

  it("of no connection are empty", () => {
    expect(readStats([])).toEqual({ path: null, family: null, rttMs: null, packets: 0, lost: 0, bytes: 0, jitterMs: null, energy: 0 });
  });
});

const GOOD: Measured = { upBps: 1_800_000, downBps: 1_700_000, upLoss: 0, downLoss: 0.001, upJitterMs: 3, downJitterMs: 5, rttMs: 20 };

describe("grade", () => {
  it.each<[Partial<Measured>, string, string | null]>([
    [{}, "good", null],
    [{ upBps: 500_000 }, "fair", "slow_up"],
    [{ upBps: 100_000 }, "poor", "slow_up"],
    [{ downBps: 400_000 }, "fair", "slow_down"],
    [{ upLoss: 0.05 }, "fair", "loss"],
    [{ downLoss: 0.12 }, "poor", "loss"],
    [{ rttMs: 300 }, "fair", "delay"],
    [{ rttMs: 900 }, "poor", "delay"],
    [{ upJitterMs: 60 }, "fair", "jitter"],
    [{ upBps: 500_000, downLoss: 0.12 }, "poor", "loss"],
    [{ rttMs: null, upJitterMs: null, downJitterMs: null }, "good", null],
  ])("of %j is %s", (change, grade, weakness) => {
    expect(judge({ ...GOOD, ...change })).toEqual({ grade, weakness });
  });
});

function snapshot(atMs: number, up: [number, number], down: [number, number, number]): Snapshot {
  return {
    atMs,
    here: { path: "direct", family: "ipv4", rttMs: 21.46, packets: down[0], lost: down[1], bytes: down[2], jitterMs: 4, energy: 0 },
    there: { connected: true, up_bps: 0, up_best_bps: 0, up_packets: up[0], up_lost: up[1], up_jitter_ms: 2, left_ms: 9_000 },
  };
}

describe("a measurement", () => {
  const from = snapshot(1_000, [1_000, 90], [900, 80, 1_000_000]);
  const to = snapshot(5_000, [1_190, 100], [1_099, 81, 1_500_000]);

  it("counts the losses of the steady part alone", () => {
    const numbers = measured(from, to, { upBps: 1_000_000.4, downBps: 900_000 });
    expect([numbers.upLoss, numbers.downLoss, numbers.upBps]).toEqual([0.05, 0.005, 1_000_000]);
  });

  it("knows the rate of what came back", () => {
    expect(downRate(from, to)).toBe(1_000_000);
    expect(downRate(from, from)).toBe(0);
  });

  it("goes to the clerk with its grade", () => {
    expect(toResult(measured(from, to, { upBps: 1_000_000, downBps: 900_000 }), to, true)).toMatchObject({ grade: "fair", path: "direct", rtt_ms: 21.5, up_loss: 0.05, heard_own_voice: true });
  });

  it("is told in megabits", () => {
    expect([120_000, 350_000, 1_840_000, 12_400_000].map(megabits)).toEqual(["0.12", "0.35", "1.8", "12"]);
  });
});
