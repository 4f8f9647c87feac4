/** The camera and the microphone of this person: opened, exchanged, watched, closed. One owner per page. */
import { onScopeDispose, reactive, shallowRef } from "vue";

import { type Choice, type DeviceKind, type DeviceLists, type DeviceProblem, listDevices, openTrack, problemOf, rememberChoice, rememberedChoice } from "@/court/devices";

export interface Devices {
  lists: DeviceLists;
  choice: Choice;
  problem: Record<DeviceKind, DeviceProblem | null>;
  opening: Record<DeviceKind, boolean>;
}

type OnTrack = (kind: DeviceKind, track: MediaStreamTrack | null) => void;

class OwnDevices {
  readonly state = reactive<Devices>({
    lists: { cameras: [], microphones: [], speakers: [] },
    choice: rememberedChoice(),
    problem: { audio: null, video: null },
    opening: { audio: false, video: false },
  });
  readonly tracks = { audio: shallowRef<MediaStreamTrack | null>(null), video: shallowRef<MediaStreamTrack | null>(null) };
  private closed = false;

  constructor(private readonly onTrack: OnTrack) {}

  /** Open (or reopen) one device. A failure is a problem to show, not an exception. */
  open = async (kind: DeviceKind): Promise<void> => {
    this.state.opening[kind] = true;
    try {
      this.release(kind);
      const track = await openTrack(kind, kind === "audio" ? this.state.choice.microphone : this.state.choice.camera);
      if (this.closed) return track.stop();
      track.addEventListener("ended", () => this.ended(kind, track));
      this.state.problem[kind] = null;
      this.set(kind, track);
      await this.refresh();
    } catch (error) {
      this.state.problem[kind] = problemOf(error);
      this.set(kind, null);
    } finally {
      this.state.opening[kind] = false;
    }
  };

  choose = async (part: keyof Choice, deviceId: string): Promise<void> => {
    this.state.choice[part] = deviceId;
    rememberChoice({ ...this.state.choice });
    if (part !== "speaker") await this.open(part === "camera" ? "video" : "audio");
  };

  /** Switch off: the device's light goes out too. */
  close = (kind: DeviceKind): void => {
    this.release(kind);
    this.set(kind, null);
  };

  refresh = async (): Promise<void> => {
    if (!navigator.mediaDevices) return;
    this.state.lists = await listDevices().catch(() => this.state.lists);
  };

  dispose(): void {
    this.closed = true;
    this.release("audio");
    this.release("video");
  }

  private set(kind: DeviceKind, track: MediaStreamTrack | null): void {
    this.tracks[kind].value = track;
    this.onTrack(kind, track);
  }

  private release(kind: DeviceKind): void {
    this.tracks[kind].value?.stop();
  }

  private ended(kind: DeviceKind, track: MediaStreamTrack): void {
    if (this.closed || this.tracks[kind].value !== track) return;
    this.state.problem[kind] = "gone"; // unplugged, or taken away by another program
    this.set(kind, null);
    void this.open(kind);
  }
}

export function useDevices(onTrack: OnTrack = () => undefined) {
  const devices = new OwnDevices(onTrack);
  const changed = () => void devices.refresh();
  const media: MediaDevices | undefined = navigator.mediaDevices;
  media?.addEventListener("devicechange", changed);
  onScopeDispose(() => {
    media?.removeEventListener("devicechange", changed);
    devices.dispose();
  });
  return devices;
}

export type { OwnDevices };
