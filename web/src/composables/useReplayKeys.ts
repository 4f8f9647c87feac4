/**
 * The replay by keyboard: Alt keys anywhere on the page, plain ones while the player has the focus, so that neither Chinese
 * input nor a screen reader's own keys are eaten (WCAG 2.1.4).
 */
import { onScopeDispose } from "vue";

import type { RecordView } from "@/protocol";

import type { ReplayHandle } from "./useReplay";

export const STEP_MS = 3000;
export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2] as const;

/** A mark this close behind the playhead is where we are: going back means the one before. */
const HERE_MS = 1500;

export interface ReplayActs {
  speed(steps: number): void;
  line(steps: 1 | -1): void;
  stage(steps: 1 | -1): void;
}

/** Acts that keys and buttons share. `marks` are in order of time. */
export function replayActs(record: RecordView, replay: ReplayHandle): ReplayActs {
  const lines = [...new Set(record.lines.filter((line) => line.kind === "speech").map((line) => line.t0_ms))].sort((a, b) => a - b);
  const stages = record.stages.map((stage) => stage.t0_ms);
  const go = (marks: readonly number[], steps: 1 | -1) => {
    const t_ms = replay.t_ms.value;
    const to = steps > 0 ? marks.find((mark) => mark > t_ms + 1) : marks.findLast((mark) => mark < t_ms - HERE_MS);
    if (to !== undefined) replay.seek(to);
  };
  return {
    speed: (steps) => {
      const at = SPEEDS.indexOf(replay.rate.value as (typeof SPEEDS)[number]);
      const next = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at + steps))];
      if (next !== undefined) replay.setRate(next);
    },
    line: (steps) => go(lines, steps),
    stage: (steps) => go(stages, steps),
  };
}

export function useReplayKeys(replay: ReplayHandle, acts: ReplayActs, fullScreen: () => void, player: () => HTMLElement | null): void {
  const step = (ms: number) => replay.seek(replay.t_ms.value + ms);
  const anywhere: Record<string, () => void> = {
    KeyP: () => replay.toggle(),
    KeyJ: () => step(-STEP_MS),
    KeyK: () => step(STEP_MS),
    BracketLeft: () => acts.line(-1),
    BracketRight: () => acts.line(1),
    PageUp: () => acts.stage(-1),
    PageDown: () => acts.stage(1),
    Comma: () => acts.speed(-1),
    Period: () => acts.speed(1),
    KeyF: fullScreen,
  };
  const inPlayer: Record<string, () => void> = { Space: () => replay.toggle(), ArrowLeft: () => step(-STEP_MS), ArrowRight: () => step(STEP_MS) };

  function pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.isComposing) return;
    const act = event.altKey ? anywhere[event.code] : event.target === player() ? inPlayer[event.code] : undefined;
    if (!act || (event.repeat && event.code === "KeyP")) return;
    event.preventDefault();
    act();
  }

  window.addEventListener("keydown", pressed);
  onScopeDispose(() => window.removeEventListener("keydown", pressed));
}
