/** What a browser's statistics (W3C webrtc-stats) say of one connection to the court: its path, and what came back. */
import { type Family, familyOf, type MediaPath } from "./network-paths";

export interface PathStats {
  path: MediaPath | null;
  family: Family | null;
  rttMs: number | null;
  packets: number;
  lost: number;
  bytes: number;
  jitterMs: number | null;
  /** Sum of squares of the sound played so far: grows only while something is heard. */
  energy: number;
}

interface Report {
  id: string;
  type: string;
  [field: string]: unknown;
}

const number = (value: unknown): number => (typeof value === "number" ? value : 0);
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** The pair in use: named by the transport, or (Firefox) the one that is nominated and works. */
function selectedPair(reports: Report[]): Report | undefined {
  const named = text(reports.find((r) => r.type === "transport")?.selectedCandidatePairId);
  const pairs = reports.filter((r) => r.type === "candidate-pair");
  return pairs.find((r) => r.id === named) ?? pairs.find((r) => r.nominated === true && r.state === "succeeded");
}

function pathBehind(candidate: Report | undefined): MediaPath | null {
  if (!candidate) return null;
  if (candidate.candidateType !== "relay") return "direct";
  const protocol = text(candidate.relayProtocol);
  return protocol === "tls" ? "relay_tls" : protocol === "tcp" ? "relay_tcp" : "relay_udp";
}

export function readStats(report: Iterable<Report>): PathStats {
  const reports = [...report];
  const pair = selectedPair(reports);
  const end = (id: unknown) => reports.find((r) => r.id === id);
  const local = end(pair?.localCandidateId);
  const remote = end(pair?.remoteCandidateId);
  const inbound = reports.filter((r) => r.type === "inbound-rtp");
  const sum = (field: string) => inbound.reduce((all, r) => all + number(r[field]), 0);
  const came = (kind: string) => inbound.find((r) => r.kind === kind && number(r.packetsReceived) > 0);
  const steady = came("audio") ?? came("video"); // pictures come in bursts by nature
  const rtt = pair?.currentRoundTripTime;
  return {
    path: pathBehind(local),
    family: familyOf(text(remote?.address) || text(remote?.ip) || text(local?.address)),
    rttMs: typeof rtt === "number" ? rtt * 1000 : null,
    packets: sum("packetsReceived"),
    lost: Math.max(0, sum("packetsLost")),
    bytes: sum("bytesReceived"),
    jitterMs: steady ? number(steady.jitter) * 1000 : null,
    energy: sum("totalAudioEnergy"),
  };
}
