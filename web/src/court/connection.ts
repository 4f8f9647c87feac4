/**
 * The one door to the server's Socket.IO namespace `/court`.
 *
 * Every act is a command with its own `command_id` and is answered once. A command of the law that was not answered, because
 * the network went away or the answer was late, is sent again with the same id after the seat is taken again, so that it
 * happens once. Media commands are not kept: whoever gave them is told and decides anew when the seat is taken again.
 */
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";

import type { Ack, ClientToServerEvents, CommandFields, CommandName, EventBody, EventName, Joined, ServerToClientEvents, WireError } from "@/protocol";

import { CourtError } from "./api";

export type CourtSocket = Socket<ServerToClientEvents, ClientToServerEvents>;
export type OpenSocket = (url: string, options: Partial<ManagerOptions & SocketOptions>) => CourtSocket;

/** connecting → joined ⇄ lost; refused, replaced and stopped are final for this connection. */
export type ConnectionPhase = "connecting" | "joined" | "lost" | "refused" | "replaced" | "stopped";

export interface ConnectionListener {
  phase(phase: ConnectionPhase, error: WireError | null): void;
  joined(joined: Joined, again: boolean): void;
  event<Name extends EventName>(name: Name, body: EventBody<Name>): void;
}

const ANSWER_WITHIN_MS = 6_000;
const SENDS_BEFORE_GIVING_UP = 3;
const USUAL_ANSWERS = 4; // an urgent command is late after this many times the usual time
const LATE_AT_LEAST_MS = 350;
const LATE_AT_MOST_MS = 3_000;
const FIRST_GUESS_MS = 175; // of the usual time

/** Given when the network has changed. Unanswered, they show that the socket hangs on a path that is gone. */
const URGENT: ReadonlySet<CommandName> = new Set<CommandName>(["media.restart_ice"]);
const EVENTS = ["sitting.updated", "caption.added", "captions.edited", "captions.progress", "speaking.changed", "quality.measured", "media.offered", "media.layers", "media.lost", "session.replaced"] as const satisfies readonly EventName[];

/** Refusals of sitting.join that pass by themselves: the seat is asked for again. */
const PASSING: ReadonlySet<string> = new Set(["offline", "timeout", "bad_answer", "internal_error", "server_fault", "too_busy", "conflict", "too_many_commands"]);

interface Pending {
  name: CommandName;
  body: Record<string, unknown>;
  kept: boolean;
  sends: number;
  sentMs: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  late: ReturnType<typeof setTimeout> | undefined;
  resolve(answer: Ack): void;
  reject(error: CourtError): void;
}

/** A new id for one act; random because ids of many browsers meet in one ledger. */
export function newCommandId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is missing outside secure contexts
  return `cmd_${Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("")}`;
}

export class CourtConnection {
  private readonly pending = new Map<string, Pending>();
  private socket: CourtSocket | null = null;
  private phase: ConnectionPhase = "connecting";
  private everJoined = false;
  private seated = false; // joined on the socket that is open now
  private heardMs = 0;
  private usualAnswerMs = FIRST_GUESS_MS;
  /** Where the captions held here end; only later ones are asked for when the seat is taken again. */
  captionsAfterMs: number | null = null;

  constructor(
    private readonly sittingId: string,
    private readonly listener: ConnectionListener,
    private readonly open: OpenSocket = io as OpenSocket,
  ) {}

  start(): void {
    const socket = this.open("/court", {
      path: "/socket.io",
      auth: { sitting_id: this.sittingId },
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      withCredentials: true,
      reconnectionDelay: 500,
      reconnectionDelayMax: 4_000,
      timeout: 8_000,
      forceNew: true,
    });
    this.socket = socket;
    socket.on("connect", () => void this.join());
    socket.on("connect_error", (error) => this.connectFailed(error as Error & { data?: unknown }));
    socket.on("disconnect", (reason) => this.disconnected(reason));
    for (const name of EVENTS) this.subscribe(socket, name);
  }

  stop(): void {
    this.end("stopped", null);
  }

  /** The browser said that the network is back: do not wait for the next try. */
  nudge(): void {
    if (this.phase !== "lost" || !this.socket) return;
    if (this.seated) this.setPhase("joined");
    else if (!this.socket.connected) this.socket.disconnect().connect();
  }

  /** The browser said that the network is gone. Nothing is thrown away; the socket finds out by itself. */
  noticeOffline(): void {
    if (this.phase === "joined") this.setPhase("lost");
  }

  /** Give a command. Resolves with the acceptance, rejects with CourtError when it was refused or stayed unanswered. */
  send<Name extends CommandName>(name: Name, fields: CommandFields<Name>): Promise<Ack> {
    if (this.phase === "refused" || this.phase === "replaced" || this.phase === "stopped") return Promise.reject(new CourtError("offline", ""));
    const kept = !name.startsWith("media.") && name !== "sitting.join";
    if (!kept && !(name === "sitting.join" ? this.socket?.connected : this.seated)) return Promise.reject(new CourtError("offline", ""));
    return new Promise<Ack>((resolve, reject) => {
      const id = newCommandId();
      const body = { ...fields, command_id: id, sitting_id: this.sittingId };
      this.pending.set(id, { name, body, kept, sends: 0, sentMs: 0, timer: undefined, late: undefined, resolve, reject });
      if (this.seated || name === "sitting.join") this.transmit(id);
    });
  }

  private subscribe<Name extends EventName>(socket: CourtSocket, name: Name): void {
    const handler = (body: EventBody<Name>) => {
      this.heardMs = performance.now();
      this.listener.event(name, body);
      if (name === "session.replaced") this.end("replaced", { code: "session_replaced", message: (body as EventBody<"session.replaced">).message, field: null });
    };
    socket.on(name, handler as never);
  }

  private async join(): Promise<void> {
    try {
      const answer = await this.send("sitting.join", { captions_after_ms: this.captionsAfterMs });
      if (!answer.joined) throw new CourtError("bad_answer", "");
      const again = this.everJoined;
      this.everJoined = true;
      this.seated = true;
      this.setPhase("joined");
      this.listener.joined(answer.joined, again);
      for (const [id, command] of this.pending) if (command.kept) this.transmit(id);
    } catch (error) {
      const refused = error instanceof CourtError ? error : new CourtError("unknown", "");
      if (PASSING.has(refused.code)) this.reopen();
      else this.end("refused", { code: refused.code, message: refused.message, field: refused.field });
    }
  }

  private transmit(id: string): void {
    const command = this.pending.get(id);
    if (!command || !this.socket?.connected) return;
    clearTimeout(command.timer);
    command.sends += 1;
    command.sentMs = performance.now();
    command.timer = setTimeout(() => this.unanswered(id), ANSWER_WITHIN_MS);
    const lateMs = Math.min(LATE_AT_MOST_MS, Math.max(LATE_AT_LEAST_MS, USUAL_ANSWERS * this.usualAnswerMs));
    if (URGENT.has(command.name)) command.late = setTimeout(() => this.late(command), lateMs);
    const emit = this.socket.emit.bind(this.socket) as (name: string, body: unknown, ack: (answer: Ack) => void) => void;
    emit(command.name, command.body, (answer) => this.answered(id, answer));
  }

  private answered(id: string, answer: Ack): void {
    const command = this.pending.get(id);
    this.heardMs = performance.now();
    if (!command) return; // answered before, on an earlier send
    this.usualAnswerMs += (this.heardMs - command.sentMs - this.usualAnswerMs) / 8;
    this.drop(id, command);
    if (answer.ok) command.resolve(answer);
    else command.reject(new CourtError(answer.error?.code ?? "unknown", answer.error?.message ?? "", 0, answer.error?.field ?? null));
  }

  private unanswered(id: string): void {
    const command = this.pending.get(id);
    if (!command || !this.socket?.connected) return; // sent again after the next join
    if (command.kept && command.sends < SENDS_BEFORE_GIVING_UP) this.transmit(id);
    else {
      this.drop(id, command);
      command.reject(new CourtError("timeout", ""));
    }
  }

  /** Nothing at all has come since an urgent command was sent: a new socket finds another path, a dead one only times out. */
  private late(command: Pending): void {
    if (this.heardMs < command.sentMs) this.socket?.disconnect().connect();
  }

  private connectFailed(error: Error & { data?: unknown }): void {
    if (this.socket?.active) return this.setPhase(this.everJoined ? "lost" : "connecting"); // socket.io tries again by itself
    const data = error.data as Partial<WireError> | undefined;
    this.end("refused", { code: data?.code ?? error.message, message: data?.message ?? "", field: null });
  }

  private disconnected(reason: string): void {
    this.seated = false;
    for (const [id, command] of this.pending) {
      clearTimeout(command.timer);
      clearTimeout(command.late);
      if (command.kept) continue;
      this.drop(id, command);
      command.reject(new CourtError("offline", ""));
    }
    if (this.phase !== "joined" && this.phase !== "lost" && this.phase !== "connecting") return;
    this.setPhase(this.everJoined ? "lost" : "connecting");
    if (reason === "io server disconnect") this.reopen();
  }

  private reopen(): void {
    const socket = this.socket;
    setTimeout(() => {
      if (socket === this.socket) socket?.disconnect().connect();
    }, 1_000);
  }

  private drop(id: string, command: Pending): void {
    clearTimeout(command.timer);
    clearTimeout(command.late);
    this.pending.delete(id);
  }

  private end(phase: "refused" | "replaced" | "stopped", error: WireError | null): void {
    if (this.phase === "refused" || this.phase === "replaced" || this.phase === "stopped") return;
    this.setPhase(phase, error);
    const socket = this.socket;
    this.socket = null;
    socket?.disconnect();
    for (const [id, command] of this.pending) {
      this.drop(id, command);
      command.reject(new CourtError("offline", ""));
    }
  }

  private setPhase(phase: ConnectionPhase, error: WireError | null = null): void {
    if (phase === this.phase) return;
    this.phase = phase;
    this.listener.phase(phase, error);
  }
}
