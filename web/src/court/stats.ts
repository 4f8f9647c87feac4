/** What getStats of both connections says about the last seconds (W3C webrtc-stats), for `media.stats`. Pure. */
import type { CommandFields } from "@/protocol";

export type Measured = Omit<CommandFields<"media.stats">, "peer_id">;

/** One row of a report; which numbers it has depends on its type and on the browser. */
export type Row = Readonly<Record<string, unknown>>;

/** Both connections at one moment of a monotonic clock. */
export interface Snapshot {
  atMs: number;
  up: readonly Row[];
  down: readonly Row[];
}

const num = (row: Row | undefined, name: string): number => {
  const value = row?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
};
const share = (part: number, whole: number): number => (whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0);

/** Growth of a counter since the snapshot before, row by row: a stream that is new grew from nothing. */
function grown(before: readonly Row[], now: readonly Row[], name: string): number {
  const old = new Map(before.map((row) => [row.id, row]));
  return now.reduce((total, row) => total + num(row, name) - num(old.get(row.id), name), 0);
}

const of = (rows: readonly Row[], type: string, kind?: string) => rows.filter((row) => row.type === type && (kind === undefined || row.kind === kind));

/** Round trip of the pair in use: the one the transport names, else (Firefox) the nominated one. */
function roundTripMs(rows: readonly Row[]): number | null {
  const selected = of(rows, "transport").map((t) => t.selectedCandidatePairId);
  const pairs = of(rows, "candidate-pair");
  const pair = pairs.find((p) => selected.includes(p.id)) ?? pairs.find((p) => p.nominated === true && p.state === "succeeded");
  const remote = of(rows, "remote-inbound-rtp").find((r) => num(r, "roundTripTime") > 0);
  const seconds = num(pair, "currentRoundTripTime") || num(remote, "roundTripTime");
  return seconds > 0 ? seconds * 1_000 : null;
}

/** Packets lost on the way up, as the server reports them (RFC 3550 receiver reports). */
function upLoss(before: Snapshot, now: Snapshot): number {
  const lost = grown(of(before.up, "remote-inbound-rtp"), of(now.up, "remote-inbound-rtp"), "packetsLost");
  return share(lost, grown(of(before.up, "outbound-rtp"), of(now.up, "outbound-rtp"), "packetsSent"));
}

function downLoss(before: Snapshot, now: Snapshot): number {
  const [old, rows] = [of(before.down, "inbound-rtp"), of(now.down, "inbound-rtp")];
  const lost = Math.max(0, grown(old, rows, "packetsLost")); // falls when a packet that was given up comes after all
  return share(lost, lost + grown(old, rows, "packetsReceived"));
}

/**
 * The last interval. `paused` tells by its track id whether a picture was kept back by the server meanwhile: that it stood
 * still is then no freeze.
 */
export function measure(before: Snapshot, now: Snapshot, paused: (trackId: unknown) => boolean = () => false): Measured {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1_000);
  const voices = of(now.down, "inbound-rtp", "audio");
  const voicesBefore = of(before.down, "inbound-rtp", "audio");
  const pictures = of(now.down, "inbound-rtp", "video").filter((row) => !paused(row.trackIdentifier));
  const picturesBefore = of(before.down, "inbound-rtp", "video");
  const moving = pictures.filter((row) => grown(picturesBefore, [row], "framesDecoded") > 0);
  // Silence made up for silence is not noticed, and not counted.
  const madeUp = grown(voicesBefore, voices, "concealedSamples") - grown(voicesBefore, voices, "silentConcealedSamples");
  return {
    rtt_ms: roundTripMs(now.up),
    jitter_ms: Math.max(0, ...voices.map((row) => num(row, "jitter"))) * 1_000,
    up_loss: upLoss(before, now),
    down_loss: downLoss(before, now),
    freezes: grown(picturesBefore, pictures, "freezeCount"),
    frames_per_s: moving.length ? grown(picturesBefore, moving, "framesDecoded") / moving.length / seconds : 0,
    concealed: share(madeUp, grown(voicesBefore, voices, "totalSamplesReceived")),
  };
}

/**
 * Whether this browser sends its camera much smaller than it could because the path up does not carry more: of several
 * layers only the smallest. That the largest is left out now and then is nobody's concern.
 */
export function heldBack(rows: readonly Row[]): boolean {
  const camera = of(rows, "outbound-rtp", "video").filter((row) => row.contentType !== "screenshare" && row.active !== false);
  const moving = camera.filter((row) => num(row, "framesPerSecond") > 0);
  return moving.length === 1 && camera.some((row) => row.qualityLimitationReason === "bandwidth");
}
