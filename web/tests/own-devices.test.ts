import { effectScope } from "vue";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { type OwnDevices, useDevices } from "@/composables/useDevices";

class FakeTrack extends EventTarget {
  readyState: "live" | "ended" = "live";
  muted = false;
  constructor(
    readonly id: string,
    readonly settings: { deviceId: string },
    readonly label: string,
    readonly constraints: Record<string, unknown>,
  ) {
    super();
  }
  getSettings = () => this.settings;
  stop(): void {
    this.readyState = "ended"; // stop() by the page fires no event (W3C Media Capture 4.3.1)
  }
}

/** A computer with devices that can be plugged in and out, as a browser shows it. */
class Desk extends EventTarget {
  plugged = [
    { kind: "audioinput", deviceId: "builtin", label: "内置麦克风" },
    { kind: "audioinput", deviceId: "headset", label: "耳机" },
    { kind: "videoinput", deviceId: "webcam", label: "摄像头" },
  ];
  refusal: string | null = null;
  tracks: FakeTrack[] = [];

  enumerateDevices = async () => this.plugged.map((d) => ({ ...d }));

  getUserMedia = async (constraints: Record<string, { deviceId?: { exact: string } } & Record<string, unknown>>) => {
    if (this.refusal) throw new DOMException("", this.refusal);
    const wanted = constraints.audio ?? constraints.video ?? {};
    const kind = constraints.audio ? "audioinput" : "videoinput";
    const found = this.plugged.find((d) => d.kind === kind && (!wanted.deviceId || d.deviceId === wanted.deviceId.exact));
    if (!found) throw new DOMException("", wanted.deviceId ? "OverconstrainedError" : "NotFoundError");
    const track = new FakeTrack(`t${this.tracks.length}`, { deviceId: found.deviceId }, found.label, wanted);
    this.tracks.push(track);
    return { getTracks: () => [track] };
  };

  async unplug(deviceId: string): Promise<void> {
    this.plugged = this.plugged.filter((d) => d.deviceId !== deviceId);
    for (const track of this.tracks.filter((t) => t.settings.deviceId === deviceId && t.readyState === "live")) {
      track.stop();
      track.dispatchEvent(new Event("ended"));
    }
    await this.told();
  }

  async plug(deviceId: string, label: string): Promise<void> {
    this.plugged = [...this.plugged, { kind: "audioinput", deviceId, label }];
    await this.told();
  }

  private async told(): Promise<void> {
    this.dispatchEvent(new Event("devicechange"));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

let desk: Desk;
let devices: OwnDevices;
let sent: (string | null)[];
const scope = () => effectScope(true);
let running = scope();
const inUse = () => devices.tracks.audio.value?.getSettings().deviceId ?? null;

beforeEach(() => {
  desk = new Desk();
  sent = [];
  const store = new Map<string, string>();
  vi.stubGlobal("navigator", { mediaDevices: desk });
  vi.stubGlobal("localStorage", { getItem: (k: string) => store.get(k) ?? null, setItem: (k: string, v: string) => store.set(k, v) });
  running = scope();
  devices = running.run(() => useDevices((kind, track) => kind === "audio" && sent.push(track?.id ?? null)))!;
});
afterEach(() => {
  running.stop();
  vi.unstubAllGlobals();
});

describe("useDevices", () => {
  it("falls to another microphone when the chosen one is pulled out, and back when it is there again", async () => {
    await devices.choose("microphone", "headset");
    expect(inUse()).toBe("headset");
    await desk.unplug("headset");
    expect(inUse()).toBe("builtin");
    expect(devices.state.problem.audio).toBeNull();
    expect(devices.state.news).toEqual({ kind: "audio", what: "fell_back", name: "内置麦克风" });
    await desk.plug("headset", "耳机");
    expect(inUse()).toBe("headset");
    expect(devices.state.news).toEqual({ kind: "audio", what: "came_back", name: "耳机" });
    expect(sent).toEqual(["t0", null, "t1", "t2"]);
    expect(desk.tracks.filter((t) => t.readyState === "live").map((t) => t.id)).toEqual(["t2"]);
  });

  it("says so when nothing is left, and takes the next microphone that is plugged in", async () => {
    await devices.open("audio");
    await desk.unplug("headset");
    expect(inUse()).toBe("builtin");
    await desk.unplug("builtin");
    expect(inUse()).toBeNull();
    expect(devices.state.problem.audio).toBe("none");
    await desk.plug("usb", "话筒");
    expect(inUse()).toBe("usb");
    expect(devices.state.problem.audio).toBeNull();
  });

  it("leaves alone what was not opened, and what is in use when another device comes", async () => {
    await desk.plug("usb", "话筒");
    expect(desk.tracks).toEqual([]);
    await devices.open("audio");
    await desk.plug("usb2", "话筒二");
    expect(desk.tracks.length).toBe(1);
    expect(devices.state.news).toBeNull();
  });

  it("opens anew what the system took away while the page was behind, and nothing that works", async () => {
    await devices.open("audio");
    await devices.open("video");
    const [voice] = desk.tracks;
    voice!.muted = true;
    voice!.dispatchEvent(new Event("mute"));
    expect(devices.state.interrupted).toEqual({ audio: true, video: false });
    await devices.resume();
    expect(desk.tracks.map((t) => t.readyState)).toEqual(["ended", "live", "live"]);
    expect(devices.state.interrupted.audio).toBe(false);
  });

  it("does not open again what was switched off", async () => {
    await devices.open("video");
    devices.close("video");
    await devices.resume();
    await desk.plug("usb", "话筒");
    expect(desk.tracks.map((t) => t.readyState)).toEqual(["ended"]);
  });

  it("sends the voice as the person wants it and remembers that", async () => {
    await devices.open("audio");
    expect(desk.tracks[0]!.constraints).toMatchObject({ echoCancellation: true, noiseSuppression: true, autoGainControl: true });
    await devices.process("noiseSuppression", false);
    expect(desk.tracks[1]!.constraints).toMatchObject({ echoCancellation: true, noiseSuppression: false, autoGainControl: true });
    const again = running.run(() => useDevices())!;
    expect(again.state.processing).toEqual({ echoCancellation: true, noiseSuppression: false, autoGainControl: true });
  });

  it("keeps only the last of several devices opened at once", async () => {
    await Promise.all([devices.choose("microphone", "headset"), devices.choose("microphone", "builtin")]);
    expect(inUse()).toBe("builtin");
    expect(desk.tracks.filter((t) => t.readyState === "live").length).toBe(1);
  });

  it("tells a refusal and does not hang", async () => {
    desk.refusal = "NotAllowedError";
    await devices.open("audio");
    expect(devices.state.problem.audio).toBe("denied");
    expect(devices.state.opening.audio).toBe(false);
  });
});
