/** Tell the court what hinders this person (a broken device, a phone in the background), and when it is over. */
import { computed, type ComputedRef, onScopeDispose, ref, watch } from "vue";

import { isHandheld } from "@/court/devices";
import { type CommandFields, type CommandName, type Difficulty, DIFFICULTIES, type ParticipantView, type SittingView } from "@/protocol";

import type { OwnDevices } from "./useDevices";

type Give = <Name extends CommandName>(name: Name, fields: CommandFields<Name>) => Promise<boolean>;

const SETTLES_IN_MS = 2_000; // exchanging a device takes a moment and is nothing to tell

export interface Hindered {
  sitting: ComputedRef<SittingView | null>;
  me: ComputedRef<ParticipantView | null>;
  devices: OwnDevices;
  give: Give;
  /** The page is in front again, after this many milliseconds. */
  cameBack(awayMs: number): void;
}

function usePageInFront(cameBack: (awayMs: number) => void) {
  const hidden = ref(document.visibilityState === "hidden");
  let sinceMs = Date.now();
  const changed = () => {
    const now = document.visibilityState === "hidden";
    if (now === hidden.value) return;
    hidden.value = now;
    if (now) sinceMs = Date.now();
    else cameBack(Date.now() - sinceMs);
  };
  document.addEventListener("visibilitychange", changed);
  window.addEventListener("pageshow", changed); // iOS brings a frozen page back without the other event
  onScopeDispose(() => {
    document.removeEventListener("visibilitychange", changed);
    window.removeEventListener("pageshow", changed);
  });
  return hidden;
}

export function useDifficulties({ sitting, me, devices, give, cameBack }: Hindered): void {
  const hidden = usePageInFront(cameBack);
  const handheld = isHandheld(navigator.userAgent, navigator.maxTouchPoints);
  const { state } = devices;
  const fails = (kind: "audio" | "video") => !state.opening[kind] && (state.problem[kind] !== null || state.interrupted[kind]);
  const mine = computed<Record<Difficulty, boolean>>(() => ({
    camera: fails("video") && !me.value?.camera_off,
    microphone: fails("audio"),
    background: handheld && hidden.value, // a computer's page goes on sending from behind
  }));
  const may = computed(() => sitting.value?.allowed.includes("difficulty.report") ?? false);

  async function tell(): Promise<void> {
    const known = me.value?.difficulties;
    if (!known || !may.value) return;
    for (const difficulty of DIFFICULTIES) if (mine.value[difficulty] !== known.includes(difficulty)) await give("difficulty.report", { difficulty, on: mine.value[difficulty] });
  }

  let timer: ReturnType<typeof setTimeout> | undefined;
  watch([mine, () => me.value?.difficulties.join(), may], () => {
    clearTimeout(timer);
    if (mine.value.background) void tell(); // a phone stops this page soon
    else timer = setTimeout(() => void tell(), SETTLES_IN_MS);
  });
  onScopeDispose(() => clearTimeout(timer));
}
