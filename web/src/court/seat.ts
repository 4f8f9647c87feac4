/** One person's seat in one sitting: connection, state, clock and media held together. Knows nothing of the page. */
import type { CaptionsEdited, ClientToServerEvents, CommandFields, CommandName, ParticipantView, ServerToClientEvents, SittingView } from "@/protocol";

import { CourtClock } from "./clock";
import { CourtConnection, type OpenSocket } from "./connection";
import type { Received } from "./leg";
import { Measurements } from "./measurements";
import { CourtPeer } from "./peer";
import { assertNever, type CourtEvent, type CourtState, EMPTY, reduce } from "./state";
import { Views } from "./views";

export interface SeatListener {
  changed(state: CourtState): void;
  received(tracks: readonly Received[]): void;
}

/** W3C Network Information; not in every browser, and only some of them name the type. */
interface NetworkInformation extends EventTarget {
  readonly type?: string;
}

type Message = { [Name in keyof ServerToClientEvents]: { name: Name; body: Parameters<ServerToClientEvents[Name]>[0] } }[keyof ServerToClientEvents];

const LIVE_STATES: ReadonlySet<string> = new Set(["lobby", "in_session", "recess", "tech_suspended"]);
const CAPTION_OVERLAP_MS = 60_000; // lines re-read from recorded audio arrive late and out of order

export const myself = (sitting: SittingView | null): ParticipantView | null => sitting?.participants.find((p) => p.id === sitting.me) ?? null;

/** Whether a seat should hold a media connection: only inside the courtroom, so that an isolated witness has none. */
export function wantsMedia({ sitting, phase }: Pick<CourtState, "sitting" | "phase">): boolean {
  return !!sitting && phase !== "replaced" && phase !== "refused" && myself(sitting)?.place === "courtroom" && LIVE_STATES.has(sitting.state);
}

export class Seat {
  state: CourtState = EMPTY;
  readonly clock = new CourtClock();
  readonly peer: CourtPeer;
  /** The pictures that the page shows now. */
  readonly views: Views;
  private readonly measurements: Measurements;
  private readonly owners = new Map<string, string>(); // id of a received track → "participant kind"
  private keptBack = new Set<string>(); // pictures that were paused at some time since the last measurement
  private readonly connection: CourtConnection;
  private readonly network = (navigator as { connection?: NetworkInformation }).connection;
  private networkType = this.network?.type;

  constructor(
    sittingId: string,
    private readonly listener: SeatListener,
    open?: OpenSocket,
  ) {
    this.connection = new CourtConnection(
      sittingId,
      {
        phase: (phase, error) => this.dispatch({ type: "connection", phase, error }),
        joined: (joined, again) => {
          this.clock.sync(joined.sitting, Date.now());
          this.peer.configure(joined.ice_servers, joined.relay_only);
          this.dispatch({ type: "joined", joined, atMs: Date.now() });
          if (again) void this.peer.seatBack();
        },
        event: (name, body) => this.took({ name, body } as Message),
      },
      open,
    );
    this.peer = new CourtPeer(
      {
        connect: () => this.connection.send("media.connect", {}),
        answer: (peer_id, leg, revision, sdp) => this.connection.send("media.answer", { peer_id, connection: leg, revision, sdp }),
        restartIce: (peer_id, leg) => this.connection.send("media.restart_ice", { peer_id, connection: leg }),
        resume: (peer_id) => this.connection.send("media.resume", { peer_id }),
        disconnect: (peer_id) => this.connection.send("media.disconnect", { peer_id }),
      },
      { received: (tracks) => this.received(tracks), phase: (phase) => this.dispatch({ type: "media", phase }), opened: () => this.opened() },
    );
    this.views = new Views((tiles) => this.report("media.view", { tiles }));
    this.measurements = new Measurements(() => this.peer.stats(), this.wasPaused, {
      measured: (measured) => {
        this.keptBack = new Set(this.state.layers.filter((l) => l.layer === "paused").map((l) => `${l.participant_id} ${l.kind}`));
        void this.report("media.stats", measured);
      },
      narrow: (narrow) => this.dispatch({ type: "narrow", narrow }),
    });
  }

  start(): void {
    window.addEventListener("online", this.online);
    window.addEventListener("offline", this.offline);
    this.network?.addEventListener("change", this.networkChanged);
    this.views.start();
    this.connection.start();
  }

  stop(): void {
    window.removeEventListener("online", this.online);
    window.removeEventListener("offline", this.offline);
    this.network?.removeEventListener("change", this.networkChanged);
    this.measurements.stop();
    this.views.stop();
    this.peer.stop();
    this.connection.stop();
  }

  async give<Name extends CommandName>(name: Name, fields: CommandFields<Name>): Promise<void> {
    await this.connection.send(name, fields);
  }

  /** Correct the draft; what became of the lines also comes as an event. Rejects with CourtError. */
  async correct<Name extends keyof ClientToServerEvents & `draft.${string}`>(name: Name, fields: CommandFields<Name>): Promise<CaptionsEdited> {
    return (await this.connection.send(name, fields)).edited ?? { captions: [], gone: [] };
  }

  private readonly online = () => {
    this.connection.nudge();
    this.peer.networkChanged();
  };

  /** A phone's page was stopped for a while: look at once whether the connections still live. */
  wake(): void {
    if (this.state.phase !== "joined" || this.state.media === "reconnecting") this.online();
  }

  private readonly offline = () => this.connection.noticeOffline();

  /** Wi-Fi ↔ mobile. The event also comes for every new estimate of speed, which is none of our business. */
  private readonly networkChanged = () => {
    if (this.network?.type === this.networkType) return;
    this.networkType = this.network?.type;
    this.online();
  };

  private opened(): void {
    this.measurements.anew();
    this.views.opened();
  }

  private received(tracks: readonly Received[]): void {
    this.owners.clear();
    for (const { participantId, kind, track } of tracks) this.owners.set(track.id, `${participantId} ${kind}`);
    this.listener.received(tracks);
  }

  private readonly wasPaused = (trackId: unknown): boolean => this.keptBack.has(this.owners.get(String(trackId)) ?? "");

  /** Tell the media server something about this page; false when it did not get through. */
  private async report<Name extends "media.view" | "media.stats">(name: Name, fields: Omit<CommandFields<Name>, "peer_id">): Promise<boolean> {
    const peer_id = this.peer.id;
    if (!peer_id) return true; // told when there is a peer
    try {
      await this.connection.send(name, { ...fields, peer_id } as CommandFields<Name>);
      return true;
    } catch {
      return false;
    }
  }

  private took({ name, body }: Message): void {
    switch (name) {
      case "sitting.updated":
        this.clock.sync(body.sitting, Date.now());
        return this.dispatch({ type: name, sitting: body.sitting, atMs: Date.now() });
      case "caption.added":
        return this.dispatch({ type: name, caption: body.caption });
      case "captions.edited":
        return this.dispatch({ type: name, edits: body });
      case "captions.progress":
        return this.dispatch({ type: name, ...body, atMs: Date.now() });
      case "speaking.changed":
        return this.dispatch({ type: name, ...body });
      case "quality.measured":
        return this.dispatch({ type: name, quality: body });
      case "media.layers":
        for (const { participant_id, kind, layer } of body.layers) if (layer === "paused") this.keptBack.add(`${participant_id} ${kind}`);
        return this.dispatch({ type: name, layers: body.layers });
      case "media.offered":
        return this.peer.offered(body);
      case "media.lost":
        return this.peer.lost(body.reason);
      case "session.replaced":
        return; // the connection ends itself and says so as a phase
      default:
        return assertNever(name);
    }
  }

  private dispatch(event: CourtEvent): void {
    this.state = reduce(this.state, event);
    const newest = this.state.captions.at(-1);
    this.connection.captionsAfterMs = newest ? Math.max(0, newest.t0_ms - CAPTION_OVERLAP_MS) : null;
    if (wantsMedia(this.state)) this.peer.start();
    else this.peer.stop();
    if (this.state.media === "connected") this.measurements.start();
    else if (this.state.media === "off") this.measurements.stop();
    this.listener.changed(this.state);
  }
}
