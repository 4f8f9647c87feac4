/** Hearing back: the state of every track on the disk, asked for again and again, and one sound at a time to play here alone. */
import { onScopeDispose, ref, shallowRef, watch } from "vue";

import { api, CourtError } from "@/court/api";
import { fetchSound } from "@/court/hear-back";
import type { HearBackView } from "@/protocol";

import type { Courtroom } from "./useCourtroom";

const EVERY_MS = 2_000; // as often as the server reads its files back
const AGAIN_MS = 5_000;

export type HearBackPhase = "loading" | "ready" | "away" | "refused";

export interface Playing {
  trackId: string;
  t0_ms: number;
  t1_ms: number;
  loading: boolean;
}

function useWritten({ sitting }: Pick<Courtroom, "sitting">) {
  const view = shallowRef<HearBackView>({ recorded: true, tracks: [] });
  const phase = ref<HearBackPhase>("loading");
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;

  async function load(): Promise<void> {
    clearTimeout(timer);
    const id = sitting.value?.id;
    if (!id || ended) return;
    try {
      view.value = await api.get<HearBackView>(`/api/sittings/${encodeURIComponent(id)}/hear-back`);
      phase.value = "ready";
    } catch (error) {
      phase.value = error instanceof CourtError && error.status === 403 ? "refused" : "away";
    }
    if (phase.value !== "refused" && !ended) timer = setTimeout(() => void load(), phase.value === "ready" ? EVERY_MS : AGAIN_MS);
  }

  watch(() => [sitting.value?.state, sitting.value?.part_recorded], () => void load());
  void load();
  onScopeDispose(() => {
    ended = true;
    clearTimeout(timer);
  });
  return { view, phase, load };
}

/** Plays on the chosen loudspeaker. Meanwhile the own microphone is held, so that nobody hears it a second time. */
function usePlayer({ sitting, devices, holdMicrophone }: Pick<Courtroom, "sitting" | "devices" | "holdMicrophone">) {
  const playing = ref<Playing | null>(null);
  const failure = ref<CourtError | null>(null);
  let element: HTMLAudioElement | null = null;

  function stop(): void {
    if (element) {
      element.pause();
      URL.revokeObjectURL(element.src);
      element = null;
    }
    playing.value = null;
    holdMicrophone(false);
  }

  async function play(trackId: string): Promise<void> {
    stop();
    failure.value = null;
    playing.value = { trackId, t0_ms: 0, t1_ms: 0, loading: true };
    try {
      const heard = await fetchSound(sitting.value?.id ?? "", trackId);
      if (playing.value?.trackId !== trackId) return; // stopped, or another one, while this was on its way
      const own = (element = new Audio(URL.createObjectURL(heard.content)));
      own.onended = () => element === own && stop();
      const sink = devices.state.choice.speaker;
      if (sink && "setSinkId" in own) await own.setSinkId(sink).catch(() => undefined); // pulled out: the system's own
      holdMicrophone(true);
      await own.play();
      playing.value = { trackId, t0_ms: heard.t0_ms, t1_ms: heard.t1_ms, loading: false };
    } catch (error) {
      stop();
      failure.value = error instanceof CourtError ? error : new CourtError("unplayable", "");
    }
  }

  onScopeDispose(stop);
  return { playing, failure, play, stop };
}

export const useHearBack = (room: Courtroom) => ({ ...useWritten(room), ...usePlayer(room) });
