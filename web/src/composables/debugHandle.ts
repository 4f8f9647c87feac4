/** `window.__court` on pages opened with `?debug=1`: counters for browser tests and support. No names, no speech. */
import type { ShallowRef } from "vue";

import type { CourtPeer } from "@/court/peer";
import type { CourtState } from "@/court/state";

export interface InboundSummary {
  leg: "up" | "down";
  mid: string;
  type: string;
  kind: string;
  bytes: number;
  packets: number;
  packetsLost: number;
  framesDecoded: number;
  audioLevel: number;
  totalAudioEnergy: number;
}

interface DebugHandle {
  stats(): Promise<InboundSummary[]>;
  number(): number;
  phase(): { connection: string; media: string };
}

declare global {
  interface Window {
    __court?: DebugHandle;
  }
}

const num = (value: unknown): number => (typeof value === "number" ? value : 0);

async function summary(peer: CourtPeer): Promise<InboundSummary[]> {
  const rows: InboundSummary[] = [];
  for (const [leg, report] of Object.entries(await peer.stats())) {
    report?.forEach((s: Record<string, unknown>) => {
      if (s.type !== "inbound-rtp" && s.type !== "outbound-rtp") return;
      rows.push({
        leg: leg as "up" | "down",
        mid: String(s.mid ?? ""),
        type: s.type,
        kind: String(s.kind),
        bytes: num(s.bytesReceived) + num(s.bytesSent),
        packets: num(s.packetsReceived) + num(s.packetsSent),
        packetsLost: num(s.packetsLost),
        framesDecoded: num(s.framesDecoded),
        audioLevel: num(s.audioLevel),
        totalAudioEnergy: num(s.totalAudioEnergy),
      });
    });
  }
  return rows;
}

/** Returns the function that takes the handle away again. */
export function exposeForTests(peer: CourtPeer, state: ShallowRef<CourtState>): () => void {
  if (new URLSearchParams(location.search).get("debug") !== "1") return () => undefined;
  window.__court = {
    stats: () => summary(peer),
    number: () => state.value.sitting?.number ?? 0,
    phase: () => ({ connection: state.value.phase, media: state.value.media }),
  };
  return () => delete window.__court;
}
