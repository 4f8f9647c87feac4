/**
 * The media of one seat: both connections, kept alive.
 *
 * A leg in trouble gets new ICE credentials; when that does not help within seconds, or the server has lost the peer,
 * everything is asked for anew with growing pauses. Nothing here knows who may hear whom: the server offers only what
 * this seat was granted.
 */
import type { Ack, IceServerView, MediaOffered, OfferView } from "@/protocol";

import { Leg, type Received } from "./leg";
import type { MediaPhase } from "./state";

export interface MediaSignals {
  connect(): Promise<Ack>;
  answer(peerId: string, connection: "up" | "down", revision: number, sdp: string): Promise<Ack>;
  restartIce(peerId: string, connection: "up" | "down"): Promise<Ack>;
  disconnect(peerId: string): Promise<Ack>;
}

export interface PeerListener {
  received(tracks: readonly Received[]): void;
  phase(phase: MediaPhase): void;
}

const BACK_OFF_MS = [300, 800, 1_500, 3_000, 5_000];
const CONNECT_WITHIN_MS = 15_000;
const RECOVER_WITHIN_MS = 6_000;
const PATIENCE_MS = 1_500; // a leg is often "disconnected" for a moment on a busy machine and comes back by itself

export class CourtPeer {
  private legs: Record<"up" | "down", Leg> | null = null;
  private peerId: string | null = null;
  private running = false;
  private generation = 0;
  private failures = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly watch: Record<"up" | "down", ReturnType<typeof setTimeout> | undefined> = { up: undefined, down: undefined };
  private early: MediaOffered[] = [];
  private readonly local: Record<"audio" | "video", MediaStreamTrack | null> = { audio: null, video: null };
  private configuration: RTCConfiguration = {};

  constructor(
    private readonly signals: MediaSignals,
    private readonly listener: PeerListener,
  ) {}

  configure(iceServers: readonly IceServerView[], relayOnly: boolean): void {
    const servers = iceServers.map((s) => ({ urls: s.urls, ...(s.username ? { username: s.username, credential: s.credential ?? "" } : {}) }));
    this.configuration = { iceServers: servers, iceTransportPolicy: relayOnly ? "relay" : "all", bundlePolicy: "max-bundle" };
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.failures = 0;
    void this.connect();
  }

  stop(): void {
    if (!this.running) return;
    this.running = false;
    const peerId = this.peerId;
    this.tearDown();
    this.listener.phase("off");
    if (peerId) void this.signals.disconnect(peerId).catch(() => undefined); // the server also notices by itself
  }

  async send(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<void> {
    this.local[kind] = track;
    await this.legs?.up.send(kind, track);
  }

  offered(event: MediaOffered): void {
    if (event.peer_id === this.peerId) void this.answer(event.offer, this.generation);
    else if (this.peerId === null) this.early.push(event); // may overtake the answer to media.connect
  }

  lost(): void {
    if (this.running) this.again();
  }

  /** The network changed (other Wi-Fi, cable pulled): new paths on both legs. */
  networkChanged(): void {
    if (!this.legs) return;
    for (const connection of ["up", "down"] as const) void this.restart(connection);
  }

  /** For tests and support: counters of both legs. */
  async stats(): Promise<Record<"up" | "down", RTCStatsReport | null>> {
    const legs = this.legs;
    return { up: (await legs?.up.pc.getStats()) ?? null, down: (await legs?.down.pc.getStats()) ?? null };
  }

  private async connect(): Promise<void> {
    const generation = ++this.generation;
    this.listener.phase(generation === 1 ? "connecting" : "reconnecting");
    try {
      const answer = await this.signals.connect();
      if (generation !== this.generation || !this.running) return;
      if (!answer.peer_id || !answer.offers) throw new Error("media.connect was answered without offers");
      this.peerId = answer.peer_id;
      this.legs = { up: this.leg("up", generation), down: this.leg("down", generation) };
      for (const kind of ["audio", "video"] as const) await this.legs.up.send(kind, this.local[kind]);
      const early = this.early.filter((e) => e.peer_id === answer.peer_id).map((e) => e.offer);
      this.early = [];
      for (const connection of ["up", "down"] as const) this.expect(connection, CONNECT_WITHIN_MS);
      await Promise.all([...answer.offers, ...early].map((offer) => this.answer(offer, generation)));
    } catch {
      if (generation === this.generation && this.running) this.again();
    }
  }

  private leg(connection: "up" | "down", generation: number): Leg {
    return new Leg(connection, this.configuration, (state) => {
      if (generation === this.generation && this.running) this.stateChanged(connection, state);
    });
  }

  private async answer(offer: OfferView, generation: number): Promise<void> {
    const leg = this.legs?.[offer.connection];
    const peerId = this.peerId;
    if (!leg || !peerId) return;
    try {
      const answer = await leg.answer(offer);
      if (!answer || generation !== this.generation) return;
      if (offer.connection === "down") this.listener.received(answer.received);
      await this.signals.answer(peerId, offer.connection, offer.revision, answer.sdp);
    } catch {
      if (generation === this.generation && this.running) this.again();
    }
  }

  private stateChanged(connection: "up" | "down", state: RTCPeerConnectionState): void {
    if (state === "connected") {
      clearTimeout(this.watch[connection]);
      const other = this.legs?.[connection === "up" ? "down" : "up"];
      if (other?.pc.connectionState !== "connected") return;
      this.failures = 0;
      this.listener.phase("connected");
    } else if (state === "disconnected") {
      this.listener.phase("reconnecting");
      this.unlessBack(connection, PATIENCE_MS, () => void this.restart(connection));
    } else if (state === "failed" || state === "closed") this.again();
  }

  private async restart(connection: "up" | "down"): Promise<void> {
    const { peerId, generation } = this;
    if (!peerId) return;
    this.expect(connection, RECOVER_WITHIN_MS);
    try {
      const answer = await this.signals.restartIce(peerId, connection);
      for (const offer of answer.offers ?? []) await this.answer(offer, generation);
    } catch {
      if (generation === this.generation && this.running) this.again();
    }
  }

  /** The leg has to be connected after `ms`, or everything is asked for anew. */
  private expect(connection: "up" | "down", ms: number): void {
    this.unlessBack(connection, ms, () => this.again());
  }

  private unlessBack(connection: "up" | "down", ms: number, act: () => void): void {
    clearTimeout(this.watch[connection]);
    const generation = this.generation;
    this.watch[connection] = setTimeout(() => {
      const connected = this.legs?.[connection].pc.connectionState === "connected";
      if (!connected && generation === this.generation && this.running) act();
    }, ms);
  }

  private again(): void {
    this.tearDown();
    this.listener.phase("reconnecting");
    const pause = BACK_OFF_MS[Math.min(this.failures, BACK_OFF_MS.length - 1)] ?? 5_000;
    this.failures += 1;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.running && void this.connect(), pause * (0.75 + Math.random() / 2)); // spread: all seats lose a worker at once
  }

  private tearDown(): void {
    this.generation += 1;
    clearTimeout(this.retry);
    clearTimeout(this.watch.up);
    clearTimeout(this.watch.down);
    this.legs?.up.close();
    this.legs?.down.close();
    this.legs = null;
    this.peerId = null;
    this.early = [];
    this.listener.received([]);
  }
}
