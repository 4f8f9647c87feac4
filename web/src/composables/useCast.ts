/** Who is heard and seen in the replay: the reader's choice, carried out on the tracks. */
import { computed, inject, reactive, ref, watch, type ComputedRef, type InjectionKey, type Ref } from "vue";

import { isHeard, MOST_PICTURES, seenNow, wantsOf, type Layout } from "@/court/cast";
import { bySeat, lastSpeaker, screenAt, speakerAt } from "@/court/record-lanes";
import type { ParticipantView, RecordTrack, RecordView } from "@/protocol";

import type { ReplayHandle } from "./useReplay";

export interface Cast {
  layout: Ref<Layout>;
  /** Observers send neither sound nor picture and have no place here. */
  people: readonly ParticipantView[];
  tracksOf(id: string): readonly RecordTrack[];
  speakerId: ComputedRef<string | null>;
  /** Shown large: who speaks, and in a pause who spoke last, so that the picture does not jump at every breath. */
  largeId: ComputedRef<string | null>;
  sharerId: ComputedRef<string | null>;
  isSeen(id: string): boolean;
  isHeard(id: string): boolean;
  isAlone(id: string): boolean;
  setHeard(id: string, heard: boolean): void;
  setAlone(id: string, alone: boolean): void;
  everyone(): void;
  chosen: ComputedRef<boolean>;
}

export const CAST: InjectionKey<Cast> = Symbol("cast");

/** The cast that the room above this component provides. */
export function useGivenCast(): Cast {
  const cast = inject(CAST);
  if (!cast) throw new Error("no cast is provided above this component");
  return cast;
}

/** A narrow screen begins with the speaker alone: eight small pictures would be eight times the data for nothing. */
const NARROW = "(max-width: 700px)";

export function useCast(record: RecordView, replay: ReplayHandle): Cast {
  const layout = ref<Layout>(matchMedia(NARROW).matches ? "speaker" : "court");
  const muted = reactive(new Set<string>());
  const solo = reactive(new Set<string>());
  const people = bySeat(record.participants.filter((person) => person.role !== "observer"));
  const tracks = new Map(people.map((person) => [person.id, record.tracks.filter((track) => track.participant_id === person.id)]));
  const pictured = new Set(record.tracks.filter((track) => track.kind === "video").map((track) => track.participant_id));
  const lines = record.lines;

  const speakerId = computed(() => speakerAt(lines, replay.t_ms.value));
  const largeId = computed(() => speakerId.value ?? lastSpeaker(lines, replay.t_ms.value) ?? people[0]?.id ?? null);
  const sharerId = computed(() => screenAt(record.screens, replay.t_ms.value)?.participant_id ?? null);
  const second = computed(() => Math.floor(replay.t_ms.value / 1000));
  const seen = computed(() => seenNow(lines, people, pictured, second.value * 1000, MOST_PICTURES[layout.value]));

  watch(
    () => wantsOf(record.tracks, { layout: layout.value, muted, solo }, seen.value, largeId.value, sharerId.value),
    (wants) => {
      for (const [track_id, want] of wants) replay.want(track_id, want);
    },
    { immediate: true },
  );

  return {
    layout,
    people,
    tracksOf: (id) => tracks.get(id) ?? [],
    speakerId,
    largeId,
    sharerId,
    isSeen: (id) => layout.value !== "sound" && (id === largeId.value || (layout.value === "court" && seen.value.has(id))),
    isHeard: (id) => isHeard(id, { layout: layout.value, muted, solo }),
    isAlone: (id) => solo.has(id),
    setHeard: (id, heard) => {
      if (!heard) muted.add(id);
      else muted.delete(id);
    },
    setAlone: (id, alone) => {
      if (alone) solo.add(id);
      else solo.delete(id);
    },
    everyone: () => {
      muted.clear();
      solo.clear();
    },
    chosen: computed(() => muted.size + solo.size > 0),
  };
}
