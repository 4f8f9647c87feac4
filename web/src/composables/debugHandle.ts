/** `window.__court` on pages opened with `?debug=1`: counters for browser tests and support. No names, no speech. */
import type { ShallowRef } from "vue";

import type { Seat } from "@/court/seat";

import type { StreamMap } from "./useCourtroom";

export interface RtpSummary {
  leg: "up" | "down";
  /** Whose track this is (down only). */
  participant: string | null;
  mid: string;
  type: string;
  kind: string;
  bytes: number;
  packets: number;
  packetsLost: number;
  /** Layer of the camera (up only); empty where the browser sends one. */
  rid: string;
  frameHeight: number;
  framesEncoded: number;
  framesDecoded: number;
  audioLevel: number;
  totalAudioEnergy: number;
}

interface DebugHandle {
  stats(): Promise<RtpSummary[]>;
  number(): number;
  phase(): { connection: string; media: string };
}

declare global {
  interface Window {
    __court?: DebugHandle;
  }
}

const num = (value: unknown): number => (typeof value === "number" ? value : 0);

function ownerOf(streams: StreamMap, trackId: unknown): string | null {
  for (const [id, { audio, video }] of streams) if ([audio, video].some((s) => s?.getTracks()[0]?.id === trackId)) return id;
  return null;
}

async function summary(seat: Seat, streams: StreamMap): Promise<RtpSummary[]> {
  const rows: RtpSummary[] = [];
  for (const [leg, report] of Object.entries(await seat.peer.stats())) {
    report?.forEach((s: Record<string, unknown>) => {
      if (s.type !== "inbound-rtp" && s.type !== "outbound-rtp") return;
      rows.push({
        leg: leg as "up" | "down",
        participant: ownerOf(streams, s.trackIdentifier),
        mid: String(s.mid ?? ""),
        type: s.type,
        kind: String(s.kind),
        bytes: num(s.bytesReceived) + num(s.bytesSent),
        packets: num(s.packetsReceived) + num(s.packetsSent),
        packetsLost: num(s.packetsLost),
        rid: typeof s.rid === "string" ? s.rid : "",
        frameHeight: num(s.frameHeight),
        framesEncoded: num(s.framesEncoded),
        framesDecoded: num(s.framesDecoded),
        audioLevel: num(s.audioLevel),
        totalAudioEnergy: num(s.totalAudioEnergy),
      });
    });
  }
  return rows;
}

/** Returns the function that takes the handle away again. */
export function exposeForTests(seat: Seat, streams: ShallowRef<StreamMap>): () => void {
  if (new URLSearchParams(location.search).get("debug") !== "1") return () => undefined;
  window.__court = {
    stats: () => summary(seat, streams.value),
    number: () => seat.state.sitting?.number ?? 0,
    phase: () => ({ connection: seat.state.phase, media: seat.state.media }),
  };
  return () => delete window.__court;
}
