/** "No sound from your microphone for 10 s", while the court waits for this person to speak (P6). */
import { computed, onScopeDispose, ref, watch } from "vue";

import { LevelMeter, SilenceWatch } from "@/court/levels";

import type { Courtroom } from "./useCourtroom";

const PATIENCE_MS = 10_000;

export function useSilence({ sitting, me, devices }: Courtroom) {
  const level = ref(0);
  const silent = ref(false);
  const expected = computed(() => sitting.value?.state === "in_session" && sitting.value.floor === me.value?.id && !me.value?.microphone_off && !me.value?.court_muted);
  let meter: LevelMeter | null = null;
  let watching = new SilenceWatch(PATIENCE_MS);

  function close(): void {
    meter?.close();
    meter = null;
    level.value = 0;
    silent.value = false;
  }

  watch([expected, devices.tracks.audio], ([on, track]) => {
    close();
    if (!on || !track) return;
    watching = new SilenceWatch(PATIENCE_MS);
    meter = new LevelMeter(track, (step) => {
      level.value = step;
      silent.value = watching.step(step, performance.now());
    });
  }, { immediate: true });
  onScopeDispose(close);
  return { level, silent };
}
