/** Everybody's path to the court, as far back as the media server remembers and live from then on. */
import { computed, onScopeDispose, ref, shallowRef, watch } from "vue";

import { api, CourtError } from "@/court/api";
import { added, type Courses, fromHistory } from "@/court/quality";
import type { QualityHistory, QualityMeasured } from "@/protocol";

import type { Courtroom } from "./useCourtroom";

const AGAIN_MS = 10_000;

export type QualityPhase = "loading" | "ready" | "away" | "refused";

export function useQuality({ sitting, state, clock, now }: Pick<Courtroom, "sitting" | "state" | "clock" | "now">) {
  const courses = shallowRef<Courses>(new Map());
  const phase = ref<QualityPhase>("loading");
  const nowMs = computed(() => clock.serverMs(now.value) ?? now.value);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let seen: Readonly<Record<string, QualityMeasured>> = state.value.quality; // these are in the history already

  function live(): void {
    for (const [id, measured] of Object.entries(state.value.quality)) {
      if (seen[id] !== measured) courses.value = added(courses.value, measured, nowMs.value);
    }
    seen = state.value.quality;
  }

  async function load(): Promise<void> {
    clearTimeout(timer);
    const id = sitting.value?.id;
    if (!id) return;
    try {
      const history = fromHistory(await api.get<QualityHistory>(`/api/sittings/${encodeURIComponent(id)}/quality`));
      const told = Object.values(state.value.quality).filter((measured) => !history.get(measured.participant_id)?.length);
      courses.value = told.reduce((all, measured) => added(all, measured, nowMs.value), history); // after a restart of the worker
      phase.value = "ready";
    } catch (error) {
      phase.value = error instanceof CourtError && error.status === 403 ? "refused" : "away";
      if (phase.value === "away") timer = setTimeout(() => void load(), AGAIN_MS);
    }
  }

  watch(() => state.value.quality, live);
  watch(() => state.value.phase, (connection) => connection === "joined" && phase.value !== "refused" && void load());
  void load();
  onScopeDispose(() => clearTimeout(timer));
  return { courses, phase, nowMs, load };
}
