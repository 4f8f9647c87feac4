/** The camera and the microphone of this person: opened, exchanged, watched, closed. One owner per page. */
import { onScopeDispose, reactive, shallowRef } from "vue";

import {
  afterChange, type Choice, deviceOf, type DeviceKind, type DeviceLists, type DeviceProblem, listDevices, openTrack, problemOf, type Processing, rememberChoice,
  rememberedChoice, rememberedProcessing, rememberProcessing,
} from "@/court/devices";

/** What happened to a device without the person's doing; shown until it is read. */
export interface DeviceNews {
  kind: DeviceKind;
  what: "fell_back" | "came_back";
  name: string;
}

export interface Devices {
  lists: DeviceLists;
  choice: Choice;
  processing: Processing;
  problem: Record<DeviceKind, DeviceProblem | null>;
  opening: Record<DeviceKind, boolean>;
  /** Taken away for the moment by the system: a call, another application (W3C Media Capture 4.3.1 "muted"). */
  interrupted: Record<DeviceKind, boolean>;
  news: DeviceNews | null;
}

type OnTrack = (kind: DeviceKind, track: MediaStreamTrack | null) => void;
const KINDS = ["audio", "video"] as const;

class OwnDevices {
  readonly state = reactive<Devices>({
    lists: { cameras: [], microphones: [], speakers: [] },
    choice: rememberedChoice(),
    processing: rememberedProcessing(),
    problem: { audio: null, video: null },
    opening: { audio: false, video: false },
    interrupted: { audio: false, video: false },
    news: null,
  });
  readonly tracks = { audio: shallowRef<MediaStreamTrack | null>(null), video: shallowRef<MediaStreamTrack | null>(null) };
  private readonly wanted: Record<DeviceKind, boolean> = { audio: false, video: false };
  private readonly turns: Record<DeviceKind, number> = { audio: 0, video: 0 };
  private closed = false;

  constructor(private readonly onTrack: OnTrack) {}

  /** Open (or reopen) one device. A failure is a problem to show, not an exception; of several at once the last one counts. */
  open = async (kind: DeviceKind): Promise<void> => {
    const turn = ++this.turns[kind];
    this.wanted[kind] = this.state.opening[kind] = true;
    try {
      this.release(kind);
      const track = await openTrack(kind, this.chosen(kind), { ...this.state.processing });
      if (this.closed || turn !== this.turns[kind]) return track.stop();
      this.state.problem[kind] = null;
      this.watch(kind, track);
      this.set(kind, track);
      await this.refresh();
    } catch (error) {
      if (turn !== this.turns[kind]) return;
      this.state.problem[kind] = problemOf(error);
      this.set(kind, null);
    } finally {
      if (turn === this.turns[kind]) this.state.opening[kind] = false;
    }
  };

  choose = async (part: keyof Choice, deviceId: string): Promise<void> => {
    this.state.choice[part] = deviceId;
    this.state.news = null;
    rememberChoice({ ...this.state.choice });
    if (part !== "speaker") await this.open(part === "camera" ? "video" : "audio");
  };

  process = async (part: keyof Processing, on: boolean): Promise<void> => {
    this.state.processing[part] = on;
    rememberProcessing({ ...this.state.processing });
    if (this.tracks.audio.value) await this.open("audio"); // not every browser changes a running track
  };

  /** Switch off: the device's light goes out too. */
  close = (kind: DeviceKind): void => {
    this.turns[kind] += 1;
    this.wanted[kind] = this.state.opening[kind] = false;
    this.state.problem[kind] = null;
    this.release(kind);
    this.set(kind, null);
  };

  /** The page is in front again: whatever the system has taken away meanwhile is opened anew. */
  resume = async (): Promise<void> => {
    for (const kind of KINDS) {
      const track = this.tracks[kind].value;
      const dead = !track || track.readyState === "ended" || track.muted;
      if (this.wanted[kind] && dead && !this.state.opening[kind]) await this.open(kind);
    }
  };

  refresh = async (): Promise<void> => {
    if (!navigator.mediaDevices) return;
    this.state.lists = await listDevices().catch(() => this.state.lists);
  };

  /** Something was plugged in or out. */
  changed = async (): Promise<void> => {
    await this.refresh();
    for (const kind of KINDS) {
      if (!this.wanted[kind] || this.state.opening[kind]) continue;
      const before = this.tracks[kind].value;
      const now = deviceOf(before);
      if (before && now === "") continue; // this browser does not say; it tells by "ended"
      if (afterChange(now, this.chosen(kind), this.listed(kind).map((d) => d.deviceId)) === "open") await this.exchange(kind, before === null);
    }
  };

  dispose(): void {
    this.closed = true;
    this.release("audio");
    this.release("video");
  }

  private chosen(kind: DeviceKind): string {
    return kind === "audio" ? this.state.choice.microphone : this.state.choice.camera;
  }

  private listed(kind: DeviceKind): MediaDeviceInfo[] {
    return kind === "audio" ? this.state.lists.microphones : this.state.lists.cameras;
  }

  private watch(kind: DeviceKind, track: MediaStreamTrack): void {
    const mine = () => !this.closed && this.tracks[kind].value === track;
    track.addEventListener("ended", () => mine() && void this.ended(kind));
    track.addEventListener("mute", () => mine() && (this.state.interrupted[kind] = true));
    track.addEventListener("unmute", () => mine() && (this.state.interrupted[kind] = false));
  }

  private set(kind: DeviceKind, track: MediaStreamTrack | null): void {
    this.tracks[kind].value = track;
    this.state.interrupted[kind] = track?.muted ?? false;
    this.onTrack(kind, track);
  }

  private release(kind: DeviceKind): void {
    this.tracks[kind].value?.stop();
  }

  /** Unplugged, or taken away by the system: another device takes its place. */
  private async ended(kind: DeviceKind): Promise<void> {
    this.state.problem[kind] = "gone";
    this.set(kind, null);
    await this.exchange(kind, false);
  }

  /** Open what is right now, and say what it is. `silently` where nothing was in use before. */
  private async exchange(kind: DeviceKind, silently: boolean): Promise<void> {
    await this.open(kind);
    const track = this.tracks[kind].value;
    if (!track) return;
    const chosen = this.chosen(kind);
    const back = chosen !== "" && deviceOf(track) === chosen;
    if (!silently || back) this.state.news = { kind, what: back ? "came_back" : "fell_back", name: track.label };
  }
}

export function useDevices(onTrack: OnTrack = () => undefined) {
  const devices = new OwnDevices(onTrack);
  const changed = () => void devices.changed();
  const media: MediaDevices | undefined = navigator.mediaDevices;
  media?.addEventListener("devicechange", changed);
  onScopeDispose(() => {
    media?.removeEventListener("devicechange", changed);
    devices.dispose();
  });
  return devices;
}

export type { OwnDevices };
