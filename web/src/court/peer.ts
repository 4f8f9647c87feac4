/**
 * The media of one seat: both connections, kept alive.
 *
 * A leg in trouble gets new ICE credentials; when that does not help within seconds, or the server has lost the peer,
 * everything is asked for anew with growing pauses. The media outlives the socket: while the socket is away, nothing here
 * is given up that still works. Nothing here knows who may hear whom: the server offers only what this seat was granted.
 */
import type { Ack, IceServerView, MediaLost, MediaOffered, OfferView } from "@/protocol";

import { CourtError } from "./api";
import { Leg, type Received } from "./leg";
import type { MediaKind } from "./offers";
import { Pulse } from "./pulse";
import type { MediaPhase } from "./state";

export interface MediaSignals {
  connect(): Promise<Ack>;
  answer(peerId: string, connection: Connection, revision: number, sdp: string): Promise<Ack>;
  restartIce(peerId: string, connection: Connection): Promise<Ack>;
  /** A new socket takes the running peer over; answers the offers that were missed. */
  resume(peerId: string): Promise<Ack>;
  disconnect(peerId: string): Promise<Ack>;
}

type Connection = "up" | "down";
const CONNECTIONS = ["up", "down"] as const;
const KINDS = ["audio", "video", "screen"] as const;

export interface PeerListener {
  received(tracks: readonly Received[]): void;
  phase(phase: MediaPhase): void;
  /** A new peer exists at the server: what it is to send us is not known there yet. */
  opened(peerId: string): void;
}

const BACK_OFF_MS = [300, 800, 1_500, 3_000, 5_000];
const CONNECT_WITHIN_MS = 15_000;
const RECOVER_WITHIN_MS = 6_000;
const PATIENCE_MS = 300; // a leg is often "disconnected" for a moment on a busy machine; a restart beside it does no harm
const RESTART_AT_MOST_EVERY_MS = 2_000; // a second restart would undo the first one's work

/** No answer because of the socket: seatBack() comes when it is there again. Anything else is the server's word. */
const withoutSocket = (error: unknown) => error instanceof CourtError && ["offline", "timeout"].includes(error.code);
/** A newer offer is on its way, so that this answer is not needed any more. */
const overtaken = (error: unknown) => error instanceof CourtError && error.code === "answer_stale";

export class CourtPeer {
  private legs: Record<Connection, Leg> | null = null;
  private peerId: string | null = null;
  private running = false;
  private generation = 0;
  private failures = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly watch: Record<Connection, ReturnType<typeof setTimeout> | undefined> = { up: undefined, down: undefined };
  private readonly pulses: Record<Connection, Pulse> = { up: this.pulse("up"), down: this.pulse("down") };
  private readonly quiet = new Set<Connection>(); // restarted because nothing came, and nothing has come since
  private readonly unanswered = new Set<Connection>(); // an answer or a wish for new paths did not get through to the server
  private readonly restartedMs: Record<Connection, number> = { up: -Infinity, down: -Infinity };
  private early: MediaOffered[] = [];
  private readonly local: Record<MediaKind, MediaStreamTrack | null> = { audio: null, video: null, screen: null };
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

  /** The peer that the server knows this seat by; null while there is none. */
  get id(): string | null {
    return this.peerId;
  }

  async send(kind: MediaKind, track: MediaStreamTrack | null): Promise<void> {
    this.local[kind] = track;
    await this.legs?.up.send(kind, track);
  }

  offered(event: MediaOffered): void {
    if (event.peer_id === this.peerId) void this.answer(event.offer, this.generation);
    else if (this.peerId === null) this.early.push(event); // may overtake the answer to media.connect
  }

  /** The server says so. That it does not reach its own media server need not concern a connection that works. */
  lost(reason: MediaLost["reason"]): void {
    const well = this.legs && CONNECTIONS.every((connection) => !this.inTrouble(connection));
    if (this.running && !(reason === "unreachable" && well)) this.again();
  }

  /** The network changed (other Wi-Fi, cable pulled): new paths on both legs. */
  networkChanged(): void {
    if (this.retry !== undefined && this.running) return void this.connect();
    for (const connection of CONNECTIONS) if (this.legs) void this.restart(connection);
  }

  /** The socket is back with this seat. The media may have lived on without it, or waits for its help. */
  async seatBack(): Promise<void> {
    if (this.retry !== undefined && this.running) return void this.connect();
    const { peerId, generation } = this;
    if (!peerId) return;
    try {
      const answer = await this.signals.resume(peerId);
      if (generation !== this.generation) return;
      for (const offer of answer.offers ?? []) await this.answer(offer, generation);
      for (const connection of CONNECTIONS) if (this.legs && this.inTrouble(connection)) void this.restart(connection);
    } catch (error) {
      if (generation === this.generation && this.running && !withoutSocket(error)) this.again(); // the server knows no such peer
    }
  }

  /** For tests and support: counters of both legs. */
  async stats(): Promise<Record<Connection, RTCStatsReport | null>> {
    const legs = this.legs;
    return { up: (await legs?.up.pc.getStats()) ?? null, down: (await legs?.down.pc.getStats()) ?? null };
  }

  private async connect(): Promise<void> {
    const generation = ++this.generation;
    clearTimeout(this.retry);
    this.retry = undefined;
    this.listener.phase(generation === 1 ? "connecting" : "reconnecting");
    try {
      const answer = await this.signals.connect();
      if (generation !== this.generation || !this.running) return;
      if (!answer.peer_id || !answer.offers) throw new Error("media.connect was answered without offers");
      this.peerId = answer.peer_id;
      this.legs = { up: this.leg("up", generation), down: this.leg("down", generation) };
      this.listener.opened(answer.peer_id);
      for (const kind of KINDS) await this.legs.up.send(kind, this.local[kind]);
      const early = this.early.filter((e) => e.peer_id === answer.peer_id).map((e) => e.offer);
      this.early = [];
      for (const connection of CONNECTIONS) this.expect(connection, CONNECT_WITHIN_MS);
      await Promise.all([...answer.offers, ...early].map((offer) => this.answer(offer, generation)));
    } catch {
      if (generation === this.generation && this.running) this.again();
    }
  }

  private leg(connection: Connection, generation: number): Leg {
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
      if (this.unanswered.delete(offer.connection)) this.sayWhetherWell();
    } catch (error) {
      if (generation !== this.generation || !this.running || overtaken(error)) return;
      if (withoutSocket(error)) this.unanswered.add(offer.connection);
      else this.again();
    }
  }

  private stateChanged(connection: Connection, state: RTCPeerConnectionState): void {
    if (state === "connected") {
      clearTimeout(this.watch[connection]);
      this.pulses[connection].start();
      this.sayWhetherWell();
    } else if (state === "disconnected") {
      this.listener.phase("reconnecting");
      this.unlessBack(connection, PATIENCE_MS, () => void this.restart(connection));
    } else if (state === "failed" || state === "closed") this.again();
  }

  private pulse(connection: Connection): Pulse {
    const heard = async () => (await this.legs?.[connection].heard()) ?? null;
    return new Pulse(heard, (now) => (now === "quiet" ? this.nothingComes(connection) : this.comesAgain(connection)));
  }

  /** Nothing came for a while although the browser still believes in the path: new paths; the second time, all anew. */
  private nothingComes(connection: Connection): void {
    if (!this.running || !this.legs) return;
    if (this.quiet.has(connection)) return this.again();
    this.quiet.add(connection);
    this.listener.phase("reconnecting");
    void this.restart(connection);
  }

  private comesAgain(connection: Connection): void {
    this.quiet.delete(connection);
    this.sayWhetherWell();
  }

  private inTrouble(connection: Connection): boolean {
    return this.quiet.has(connection) || this.unanswered.has(connection) || this.legs?.[connection].pc.connectionState !== "connected";
  }

  private sayWhetherWell(): void {
    if (!this.legs || CONNECTIONS.some((connection) => this.inTrouble(connection))) return;
    this.failures = 0;
    this.listener.phase("connected");
  }

  private async restart(connection: Connection): Promise<void> {
    const { peerId, generation } = this;
    if (!peerId || performance.now() - this.restartedMs[connection] < RESTART_AT_MOST_EVERY_MS) return;
    this.restartedMs[connection] = performance.now();
    this.expect(connection, RECOVER_WITHIN_MS);
    try {
      const answer = await this.signals.restartIce(peerId, connection);
      for (const offer of answer.offers ?? []) await this.answer(offer, generation);
    } catch (error) {
      this.restartedMs[connection] = -Infinity;
      if (generation !== this.generation || !this.running) return;
      if (withoutSocket(error)) this.unanswered.add(connection);
      else this.again(); // the server knows no such peer
    }
  }

  /** The leg has to be connected after `ms`, or everything is asked for anew. */
  private expect(connection: Connection, ms: number): void {
    this.unlessBack(connection, ms, () => this.again());
  }

  private unlessBack(connection: Connection, ms: number, act: () => void): void {
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
    this.retry = undefined;
    for (const connection of CONNECTIONS) {
      clearTimeout(this.watch[connection]);
      this.pulses[connection].stop();
      this.restartedMs[connection] = -Infinity;
    }
    this.quiet.clear();
    this.unanswered.clear();
    this.legs?.up.close();
    this.legs?.down.close();
    this.legs = null;
    this.peerId = null;
    this.early = [];
    this.listener.received([]);
  }
}
