/**
 * One connection to a media worker that belongs to no sitting: what we send comes back, and both ends count.
 *
 * The server answers pictures at once and voice three seconds later (media/self_test.py). It ends a test after a minute;
 * we end it sooner.
 */
import type { IceServerView, NetworkTestBegun, NetworkTestMeasured } from "@/protocol";

import { api, CourtError } from "./api";
import { type MediaPath, rtcServers, serversOn } from "./network-paths";
import { type PathStats, readStats } from "./path-stats";

/** Why a path did not come about. `busy`: the server has too many tests; `no_relay`: the court has none of this kind. */
export type PathProblem = "busy" | "offline" | "refused" | "no_relay" | "relay_refused" | "relay_unreachable" | "blocked" | "unsupported";

export class PathFailed extends Error {
  constructor(readonly problem: PathProblem) {
    super(problem);
    this.name = "PathFailed";
  }
}

const CONNECT_WITHIN_MS = 12_000;
const GATHER_AT_MOST_MS = 8_000; // a relay over TLS takes several round trips

export interface Snapshot {
  atMs: number;
  here: PathStats;
  there: NetworkTestMeasured;
}

function unauthorized(event: RTCPeerConnectionIceErrorEvent): boolean {
  return event.errorCode === 401 || event.errorCode === 403 || event.errorCode === 441;
}

export class NetworkTest {
  readonly pc: RTCPeerConnection;
  /** Host and port of the relays in use, for a network's keeper; without credentials. */
  readonly addresses: string[];
  private readonly senders = new Map<"audio" | "video", RTCRtpSender>();
  private relayRefused = false;

  private constructor(
    private readonly begun: NetworkTestBegun,
    servers: readonly IceServerView[],
    private readonly relayOnly: boolean,
  ) {
    this.addresses = servers.flatMap((server) => server.urls);
    this.pc = new RTCPeerConnection({ iceServers: rtcServers(servers), iceTransportPolicy: relayOnly ? "relay" : "all", bundlePolicy: "max-bundle" });
    this.pc.addEventListener("icecandidateerror", (event) => (this.relayRefused ||= unauthorized(event)));
  }

  /** `path` null: as in a hearing, the best there is. Raises PathFailed. */
  static async begin(path: MediaPath | null): Promise<NetworkTest> {
    if (typeof RTCPeerConnection !== "function") throw new PathFailed("unsupported");
    const begun = await api.post<NetworkTestBegun>("/api/network-tests").catch((error: unknown) => {
      throw new PathFailed(problemOf(error));
    });
    const servers = path === null ? begun.ice_servers : serversOn(path, begun.ice_servers);
    const relayOnly = path === null ? begun.relay_only : path !== "direct";
    const test = new NetworkTest(begun, servers, relayOnly);
    if (path !== null && relayOnly && servers.length === 0) {
      await test.close();
      throw new PathFailed("no_relay");
    }
    return test;
  }

  /** Connect; returns the milliseconds it took. Raises PathFailed. */
  async connect(audio: MediaStreamTrack | null, video: MediaStreamTrack | null): Promise<number> {
    const startedMs = performance.now();
    await this.pc.setRemoteDescription({ type: "offer", sdp: this.begun.sdp });
    for (const transceiver of this.pc.getTransceivers()) {
      const kind = transceiver.receiver.track.kind as "audio" | "video";
      transceiver.direction = "sendrecv";
      this.senders.set(kind, transceiver.sender);
      await transceiver.sender.replaceTrack(kind === "audio" ? audio : video);
    }
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    await this.gathered();
    if (this.relayOnly && !/^a=candidate:/m.test(this.pc.localDescription?.sdp ?? "")) throw new PathFailed(this.relayRefused ? "relay_refused" : "relay_unreachable");
    try {
      await api.post(`/api/network-tests/${this.begun.test_id}/answer`, { sdp: this.pc.localDescription?.sdp ?? "" });
    } catch (error) {
      throw new PathFailed(problemOf(error));
    }
    await this.connected();
    return performance.now() - startedMs;
  }

  /** What comes back of one kind. */
  track(kind: "audio" | "video"): MediaStreamTrack | null {
    return this.pc.getReceivers().find((r) => r.track.kind === kind)?.track ?? null;
  }

  async send(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<void> {
    await this.senders.get(kind)?.replaceTrack(track);
  }

  /** How much the picture may take from now on. */
  async limit(bps: number): Promise<void> {
    const sender = this.senders.get("video");
    if (!sender) return;
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings) encoding.maxBitrate = bps;
    await sender.setParameters(parameters).catch(() => undefined); // a browser without it sends at its own rate
  }

  async snapshot(): Promise<Snapshot> {
    const [report, there] = await Promise.all([this.pc.getStats(), api.get<NetworkTestMeasured>(`/api/network-tests/${this.begun.test_id}`)]);
    const reports: never[] = [];
    report.forEach((one) => reports.push(one as never));
    return { atMs: performance.now(), here: readStats(reports), there };
  }

  /** Free the connection here and, if it answers, at the server. */
  async close(): Promise<void> {
    this.pc.close();
    await api.delete(`/api/network-tests/${this.begun.test_id}`).catch(() => undefined);
  }

  private gathered(): Promise<void> {
    if (this.pc.iceGatheringState === "complete") return Promise.resolve();
    return new Promise((resolve) => {
      // A relayed candidate is enough; for the straight path the server learns our address from our checks.
      const timer = setTimeout(resolve, this.relayOnly ? GATHER_AT_MOST_MS : 500);
      const done = () => (clearTimeout(timer), resolve());
      this.pc.addEventListener("icegatheringstatechange", () => this.pc.iceGatheringState === "complete" && done());
      this.pc.addEventListener("icecandidate", (event) => this.relayOnly && event.candidate?.candidate && done());
    });
  }

  private connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new PathFailed("blocked")), CONNECT_WITHIN_MS);
      const look = () => {
        const state = this.pc.connectionState;
        if (state === "connected") resolve();
        else if (state === "failed" || state === "closed") reject(new PathFailed("blocked"));
        else return;
        clearTimeout(timer);
      };
      this.pc.addEventListener("connectionstatechange", look);
      look();
    });
  }
}

function problemOf(error: unknown): PathProblem {
  if (!(error instanceof CourtError)) throw error;
  if (error.code === "self_test_busy" || error.code === "too_many_commands") return "busy";
  if (error.code === "offline" || error.status >= 500) return "offline";
  return "refused";
}
