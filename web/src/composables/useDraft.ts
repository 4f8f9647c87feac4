/** Correcting the draft: which line is open, what was typed, and whether it is saved. What was typed is never thrown away. */
import { type ComputedRef, inject, type InjectionKey, provide, reactive, ref, type Ref } from "vue";

import { CourtError } from "@/court/api";
import type { DraftPort } from "@/court/draft";
import type { CaptionsEdited, CaptionView, ParticipantView } from "@/protocol";

import { useRefusal } from "./useRefusal";

/** saving: under way, also while the network is away; unsaved: refused or lost, the text is kept. */
export type SaveState = { state: "saving" | "saved" } | { state: "unsaved"; words: string };

export interface DraftBench {
  may: ComputedRef<boolean>;
  people: ComputedRef<readonly ParticipantView[]>;
  lines: ComputedRef<readonly CaptionView[]>;
  open: Ref<string | null>;
  typed: Map<string, string>;
  saves: Map<string, SaveState>;
  port: DraftPort;
  /** Do it; false when it was refused: the words then stand in `saves`. */
  run(line: CaptionView, act: () => Promise<CaptionsEdited>): Promise<CaptionsEdited | null>;
  edit(line: CaptionView): void;
  close(line: CaptionView, keep?: boolean): void;
}

const SAVED_SHOWN_MS = 5000;
const KEY: InjectionKey<DraftBench> = Symbol("draft");

interface Source {
  may: ComputedRef<boolean>;
  people: ComputedRef<readonly ParticipantView[]>;
  lines: ComputedRef<readonly CaptionView[]>;
  port: DraftPort;
  /** Where nobody else tells the page what became of the lines. */
  took?: (edits: CaptionsEdited) => void;
  /** Somebody else was first: show how things stand. */
  stale?: () => void;
}

export function provideDraft(source: Source): DraftBench {
  const explain = useRefusal();
  const open = ref<string | null>(null);
  const typed = reactive(new Map<string, string>());
  const saves = reactive(new Map<string, SaveState>());

  async function run(line: CaptionView, act: () => Promise<CaptionsEdited>): Promise<CaptionsEdited | null> {
    saves.set(line.id, { state: "saving" });
    try {
      const edits = await act();
      source.took?.(edits);
      saves.set(line.id, { state: "saved" });
      setTimeout(() => saves.get(line.id)?.state === "saved" && saves.delete(line.id), SAVED_SHOWN_MS);
      return edits;
    } catch (error) {
      saves.set(line.id, { state: "unsaved", words: explain(error) });
      if (error instanceof CourtError && error.code === "line_changed") source.stale?.();
      return null;
    }
  }

  function edit(line: CaptionView): void {
    if (source.may.value && line.kind === "speech") open.value = line.id;
  }

  function close(line: CaptionView, keep = false): void {
    if (!keep) typed.delete(line.id);
    if (saves.get(line.id)?.state === "unsaved" && !keep) saves.delete(line.id);
    if (open.value === line.id) open.value = null;
  }

  const bench = { may: source.may, people: source.people, lines: source.lines, port: source.port, open, typed, saves, run, edit, close };
  provide(KEY, bench);
  return bench;
}

/** The draft that the page above works on, null where it is only read. */
export const useDraft = (): DraftBench | null => inject(KEY, null);
