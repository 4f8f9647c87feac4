/** What the lobby knows: the hearing, this sitting, who has arrived; asked again every few seconds. */
import { computed, onScopeDispose, ref, shallowRef } from "vue";

import { api, CourtError } from "@/court/api";
import { ScreenAwake } from "@/court/wakelock";
import type { DocketItem } from "@/protocol";

import { useSession } from "./useSession";

const POLL_MS = 8_000;

export function useLobby(sittingId: string) {
  const { ensure } = useSession();
  const item = shallowRef<DocketItem | null>(null);
  const error = ref<CourtError | null>(null);
  const loading = ref(true);

  async function find(): Promise<DocketItem | null> {
    const who = await ensure();
    if (who?.hearing_id) return api.get<DocketItem>(`/api/hearings/${encodeURIComponent(who.hearing_id)}`);
    const docket = await api.get<DocketItem[]>("/api/docket");
    return docket.find((d) => d.sittings.some((s) => s.id === sittingId)) ?? null;
  }

  async function load(): Promise<void> {
    try {
      item.value = await find();
      error.value = null;
    } catch (problem) {
      if (!(problem instanceof CourtError)) throw problem;
      if (item.value === null) error.value = problem; // once shown, the last content stays
    } finally {
      loading.value = false;
    }
  }

  const awake = new ScreenAwake(); // a phone that locks while its owner waits would miss the opening
  awake.start();
  onScopeDispose(() => awake.stop());
  void load();
  const timer = setInterval(() => void load(), POLL_MS);
  onScopeDispose(() => clearInterval(timer));
  const sitting = computed(() => item.value?.sittings.find((s) => s.id === sittingId) ?? null);
  const me = computed(() => item.value?.participants.find((p) => p.id === item.value?.my_participant_id) ?? null);
  return { item, sitting, me, error, loading, load };
}
