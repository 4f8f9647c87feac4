/** The queue of commands against a socket that is there, gone, late or back. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { CourtConnection, type ConnectionListener, type ConnectionPhase, type CourtSocket, type OpenSocket } from "@/court/connection";
import type { Ack } from "@/protocol";

import { sitting } from "./samples";

type Sent = { name: string; body: { command_id: string; sitting_id: string } & Record<string, unknown>; ack: (answer: Ack) => void };

class FakeSocket {
  connected = false;
  active = true;
  sent: Sent[] = [];
  private readonly handlers = new Map<string, (argument: unknown) => void>();

  on(name: string, handler: (argument: unknown) => void): this {
    this.handlers.set(name, handler);
    return this;
  }
  emit(name: string, body: Sent["body"], ack: Sent["ack"]): this {
    this.sent.push({ name, body, ack });
    return this;
  }
  fire(name: string, argument?: unknown): void {
    this.handlers.get(name)?.(argument);
  }
  open(): void {
    this.connected = true;
    this.fire("connect");
  }
  lose(reason = "transport close"): void {
    this.connected = false;
    this.fire("disconnect", reason);
  }
  disconnect(): this {
    this.connected = false;
    return this;
  }
  connect(): this {
    return this;
  }
  of(name: string): Sent[] {
    return this.sent.filter((s) => s.name === name);
  }
}

const ACK: Ack = { ok: true, number: 1, error: null, joined: null, offers: null, peer_id: null, edited: null };
const JOINED: Ack = { ...ACK, joined: { sitting: sitting({}), captions: [], captions_gone: [], ice_servers: [], relay_only: false } };
const refused = (code: string): Ack => ({ ...ACK, ok: false, error: { code, message: "不行", field: null } });

let socket: FakeSocket;
let phases: ConnectionPhase[];
let events: string[];
let connection: CourtConnection;
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  socket = new FakeSocket();
  phases = [];
  events = [];
  const listener: ConnectionListener = { phase: (p) => phases.push(p), joined: (_j, again) => events.push(again ? "joined again" : "joined"), event: (name) => events.push(name) };
  connection = new CourtConnection("sit_1", listener, (() => socket as unknown as CourtSocket) as OpenSocket);
  connection.start();
});
afterEach(() => vi.useRealTimers());

async function seat(): Promise<void> {
  socket.open();
  socket.of("sitting.join").at(-1)?.ack(JOINED);
  await settle();
}

describe("a command", () => {
  it("waits for the seat, carries its ids, and resolves with its answer", async () => {
    const answer = connection.send("hand.raise", { reason: "speak" });
    expect(socket.of("hand.raise")).toHaveLength(0);
    await seat();
    const [sent] = socket.of("hand.raise");
    expect(sent?.body).toMatchObject({ reason: "speak", sitting_id: "sit_1" });
    expect(sent?.body.command_id).toMatch(/^cmd_[0-9a-f]{32}$/);
    sent?.ack({ ...ACK, number: 7 });
    await expect(answer).resolves.toMatchObject({ number: 7 });
  });

  it("that was not answered before the network went is sent again with the same id, in order, after the new join", async () => {
    await seat();
    const first = connection.send("stage.go", { stage: "debate" });
    const second = connection.send("floor.open", {});
    const ids = socket.sent.slice(1).map((s) => s.body.command_id);
    socket.lose();
    expect(phases.at(-1)).toBe("lost");
    await seat();
    const again = socket.sent.slice(-2);
    expect(again.map((s) => s.name)).toEqual(["stage.go", "floor.open"]);
    expect(again.map((s) => s.body.command_id)).toEqual(ids);
    for (const s of again) s.ack(ACK);
    await Promise.all([first, second]);
    expect(events).toEqual(["joined", "joined again"]);
  });

  it("is sent at most three times with one id, then rejected as unanswered", async () => {
    await seat();
    const answer = connection.send("floor.open", {}).catch((e: { code: string }) => e.code);
    await vi.advanceTimersByTimeAsync(18_000);
    expect(new Set(socket.of("floor.open").map((s) => s.body.command_id)).size).toBe(1);
    expect(socket.of("floor.open")).toHaveLength(3);
    await expect(answer).resolves.toBe("timeout");
  });

  it("refused by the court is rejected with the server's own code and words", async () => {
    await seat();
    const answer = connection.send("sitting.close", {});
    socket.of("sitting.close")[0]?.ack(refused("not_permitted"));
    await expect(answer).rejects.toMatchObject({ code: "not_permitted", message: "不行" });
  });

  it("ignores a second answer to the same id", async () => {
    await seat();
    const answer = connection.send("floor.open", {});
    const [sent] = socket.of("floor.open");
    sent?.ack(ACK);
    sent?.ack(refused("late"));
    await expect(answer).resolves.toMatchObject({ ok: true });
  });

  it("of the media plane is not kept over a lost socket", async () => {
    await seat();
    const answer = connection.send("media.connect", {}).catch((e: { code: string }) => e.code);
    socket.lose();
    await expect(answer).resolves.toBe("offline");
    await seat();
    expect(socket.of("media.connect")).toHaveLength(1);
  });
});

describe("the seat", () => {
  it("that is refused ends the connection with the reason", async () => {
    socket.open();
    socket.of("sitting.join")[0]?.ack(refused("room_full"));
    await settle();
    expect(phases.at(-1)).toBe("refused");
    await expect(connection.send("hand.raise", {})).rejects.toMatchObject({ code: "offline" });
  });

  it("is asked for again when the server had a fault", async () => {
    socket.open();
    socket.of("sitting.join")[0]?.ack(refused("internal_error"));
    await settle();
    expect(phases).not.toContain("refused");
  });

  it("taken elsewhere stops this page", async () => {
    await seat();
    socket.fire("session.replaced", { message: "已在别处" });
    expect(phases.at(-1)).toBe("replaced");
    socket.lose("io client disconnect");
    expect(phases.at(-1)).toBe("replaced");
  });

  it("asks only for captions it does not have", async () => {
    await seat();
    connection.captionsAfterMs = 90_000;
    socket.lose();
    socket.open();
    expect(socket.of("sitting.join").at(-1)?.body).toMatchObject({ captions_after_ms: 90_000 });
  });

  it("survives a short loss of network that the socket did not notice", async () => {
    await seat();
    connection.noticeOffline();
    expect(phases.at(-1)).toBe("lost");
    connection.nudge();
    expect(phases.at(-1)).toBe("joined");
  });
});
