/** Which exhibit page this person looks at: the one being shown, or, by choice, another one. Shared by desk and phone. */
import { computed, inject, type InjectionKey, provide, ref, watch } from "vue";

import { exhibitPage } from "@/court/api";

import { type Courtroom, useRoom } from "./useCourtroom";

function createExhibitView({ sitting, people, may, give }: Courtroom) {
  const elsewhere = ref<{ exhibit_id: string; page: number } | null>(null);
  const zoom = ref(1);
  const showing = computed(() => sitting.value?.showing ?? null);
  const at = computed(() => elsewhere.value ?? (showing.value && { exhibit_id: showing.value.exhibit_id, page: showing.value.page }));
  const exhibit = computed(() => sitting.value?.exhibits.find((e) => e.id === at.value?.exhibit_id) ?? null);
  const shown = computed(() => sitting.value?.exhibits.find((e) => e.id === showing.value?.exhibit_id) ?? null);
  const presenter = computed(() => people.value.get(showing.value?.presenter_id ?? "") ?? null);
  const address = computed(() => (at.value ? exhibitPage(at.value.exhibit_id, at.value.page) : ""));
  /** Turning a page turns it for everyone when this person presents the shown exhibit; otherwise only here. */
  const presents = computed(() => !elsewhere.value && may("exhibit.show") && (showing.value?.presenter_id === sitting.value?.me || may("exhibit.allow")));

  async function turn(by: number): Promise<void> {
    const now = at.value;
    if (!now || !exhibit.value) return;
    const page = now.page + by;
    if (page < 1 || page > exhibit.value.pages) return;
    if (presents.value) await give("exhibit.show", { exhibit_id: now.exhibit_id, page });
    else look(now.exhibit_id, page);
  }

  function look(exhibit_id: string, page = 1): void {
    const same = showing.value?.exhibit_id === exhibit_id && showing.value.page === page;
    elsewhere.value = same ? null : { exhibit_id, page };
    zoom.value = 1;
  }

  function back(): void {
    elsewhere.value = null;
    zoom.value = 1;
  }

  watch(() => sitting.value?.exhibits, (list) => {
    if (elsewhere.value && !list?.some((e) => e.id === elsewhere.value?.exhibit_id)) back();
  });
  return { at, exhibit, shown, showing, presenter, address, elsewhere, zoom, presents, turn, look, back };
}

export type ExhibitViewState = ReturnType<typeof createExhibitView>;
const KEY: InjectionKey<ExhibitViewState> = Symbol("exhibit view");

export function provideExhibitView(room: Courtroom): ExhibitViewState {
  const view = createExhibitView(room);
  provide(KEY, view);
  return view;
}

export function useExhibitView(): ExhibitViewState {
  const view = inject(KEY);
  return view ?? createExhibitView(useRoom());
}
