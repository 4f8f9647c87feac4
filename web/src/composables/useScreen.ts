/** Sharing one's screen (屏幕共享): what the browser captures follows what the court allows, and the other way round. */
import { computed, type ComputedRef, onScopeDispose, ref, shallowRef, watch } from "vue";

import { canShareScreen } from "@/court/devices";
import type { Seat } from "@/court/seat";
import type { CommandFields, CommandName, SittingView } from "@/protocol";

type Give = <Name extends CommandName>(name: Name, fields: CommandFields<Name>) => Promise<boolean>;

/** Not in every TypeScript library yet: W3C Screen Capture 5.4. */
interface CaptureOptions extends DisplayMediaStreamOptions {
  selfBrowserSurface?: "include" | "exclude";
  surfaceSwitching?: "include" | "exclude";
}

const OPTIONS: CaptureOptions = { video: { frameRate: { ideal: 10, max: 15 } }, audio: false, selfBrowserSurface: "exclude", surfaceSwitching: "include" };

export function useScreen(seat: Seat, sitting: ComputedRef<SittingView | null>, give: Give) {
  const track = shallowRef<MediaStreamTrack | null>(null);
  const starting = ref(false);
  const failed = ref(false);
  const endedByCourt = ref(false);
  const sharing = computed(() => sitting.value !== null && sitting.value.screen === sitting.value.me);
  const offered = computed(() => canShareScreen() && (sitting.value?.allowed.includes("screen.start") ?? false));

  function release(): void {
    track.value?.stop();
    track.value = null;
    void seat.peer.send("screen", null);
  }

  async function capture(): Promise<MediaStreamTrack | null> {
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia(OPTIONS);
      return stream.getVideoTracks()[0] ?? null;
    } catch (error) {
      failed.value = !(error instanceof DOMException && ["NotAllowedError", "AbortError"].includes(error.name)); // the person chose nothing
      return null;
    }
  }

  async function start(): Promise<void> {
    if (starting.value || sharing.value) return;
    starting.value = true;
    failed.value = endedByCourt.value = false;
    try {
      const captured = await capture();
      if (!captured) return;
      track.value = captured;
      captured.addEventListener("ended", () => track.value === captured && void stop()); // "stop sharing" of the browser itself
      if (await give("screen.start", {})) await seat.peer.send("screen", captured);
      else release();
    } finally {
      starting.value = false;
    }
  }

  async function stop(): Promise<void> {
    release();
    if (sharing.value) await give("screen.stop", { participant_id: null });
  }

  watch(sharing, (now, before) => {
    if (!now && before && track.value && !starting.value) {
      endedByCourt.value = true;
      release();
    }
    // After a reload the court still shows an empty frame: what this page does not capture, it does not share.
    if (now && !track.value && !starting.value) void stop();
  });
  onScopeDispose(() => track.value?.stop());
  return { track, offered, sharing, starting, failed, endedByCourt, start, stop };
}

export type OwnScreen = ReturnType<typeof useScreen>;
