/** One person's seat in one sitting: connection, state, clock and media held together. Knows nothing of the page. */
import type { CommandFields, CommandName, ParticipantView, ServerToClientEvents, SittingView } from "@/protocol";

import { CourtClock } from "./clock";
import { CourtConnection, type OpenSocket } from "./connection";
import type { Received } from "./leg";
import { CourtPeer } from "./peer";
import { assertNever, type CourtEvent, type CourtState, EMPTY, reduce } from "./state";

export interface SeatListener {
  changed(state: CourtState): void;
  received(tracks: readonly Received[]): void;
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
  private readonly connection: CourtConnection;

  constructor(
    sittingId: string,
    private readonly listener: SeatListener,
    open?: OpenSocket,
  ) {
    this.connection = new CourtConnection(
      sittingId,
      {
        phase: (phase, error) => this.dispatch({ type: "connection", phase, error }),
        joined: (joined) => {
          this.clock.sync(joined.sitting, Date.now());
          this.peer.configure(joined.ice_servers, joined.relay_only);
          this.dispatch({ type: "joined", joined, atMs: Date.now() });
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
        disconnect: (peer_id) => this.connection.send("media.disconnect", { peer_id }),
      },
      { received: (tracks) => listener.received(tracks), phase: (phase) => this.dispatch({ type: "media", phase }) },
    );
  }

  start(): void {
    window.addEventListener("online", this.online);
    window.addEventListener("offline", this.offline);
    this.connection.start();
  }

  stop(): void {
    window.removeEventListener("online", this.online);
    window.removeEventListener("offline", this.offline);
    this.peer.stop();
    this.connection.stop();
  }

  async give<Name extends CommandName>(name: Name, fields: CommandFields<Name>): Promise<void> {
    await this.connection.send(name, fields);
  }

  private readonly online = () => {
    this.connection.nudge();
    this.peer.networkChanged();
  };

  private readonly offline = () => this.connection.noticeOffline();

  private took({ name, body }: Message): void {
    switch (name) {
      case "sitting.updated":
        this.clock.sync(body.sitting, Date.now());
        return this.dispatch({ type: name, sitting: body.sitting, atMs: Date.now() });
      case "caption.added":
        return this.dispatch({ type: name, caption: body.caption });
      case "speaking.changed":
        return this.dispatch({ type: name, ...body });
      case "quality.measured":
        return this.dispatch({ type: name, quality: body });
      case "media.layers":
        return this.dispatch({ type: name, layers: body.layers });
      case "media.offered":
        return this.peer.offered(body);
      case "media.lost":
        return this.peer.lost();
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
    this.listener.changed(this.state);
  }
}
