/** What this browser knows of the sitting: one value, changed only by reduce(state, event). */
import type { CaptionsEdited, CaptionView, Joined, LayerView, ParticipantView, QualityMeasured, SittingView, WireError } from "@/protocol";

import type { ConnectionPhase } from "./connection";
import { withEdits } from "./draft";

export type MediaPhase = "off" | "connecting" | "connected" | "reconnecting";

/** Speech that is heard and not written yet, as last told. */
export interface CaptionProgress {
  writing: readonly string[];
  delayS: number;
  atMs: number;
}

export const PROGRESS_LASTS_MS = 10_000; // told again every few seconds while it lasts

export interface CourtState {
  phase: ConnectionPhase;
  error: WireError | null;
  sitting: SittingView | null;
  captions: readonly CaptionView[];
  progress: CaptionProgress | null;
  speaking: ReadonlySet<string>;
  lastSpeaker: string | null;
  quality: Readonly<Record<string, QualityMeasured>>;
  /** What the server sends us of each picture now. */
  layers: readonly LayerView[];
  /** The own picture is sent smaller because the path up is narrow. */
  narrow: boolean;
  /** Participant → local time (ms) at which this browser saw the person drop. */
  lostSince: Readonly<Record<string, number>>;
  media: MediaPhase;
}

export const EMPTY: CourtState = {
  phase: "connecting",
  error: null,
  sitting: null,
  captions: [],
  progress: null,
  speaking: new Set(),
  lastSpeaker: null,
  quality: {},
  layers: [],
  narrow: false,
  lostSince: {},
  media: "off",
};

export type CourtEvent =
  | { type: "connection"; phase: ConnectionPhase; error: WireError | null }
  | { type: "joined"; joined: Joined; atMs: number }
  | { type: "sitting.updated"; sitting: SittingView; atMs: number }
  | { type: "caption.added"; caption: CaptionView }
  | { type: "captions.edited"; edits: CaptionsEdited }
  | { type: "captions.progress"; writing: readonly string[]; delay_s: number; atMs: number }
  | { type: "speaking.changed"; participant_id: string; speaking: boolean }
  | { type: "quality.measured"; quality: QualityMeasured }
  | { type: "media.layers"; layers: readonly LayerView[] }
  | { type: "narrow"; narrow: boolean }
  | { type: "media"; phase: MediaPhase };

export function assertNever(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}

/** A line is replaced by a later version of itself; lines stand in the order in which they were spoken. */
export function addCaption(captions: readonly CaptionView[], line: CaptionView): readonly CaptionView[] {
  const rest = captions.filter((c) => c.id !== line.id);
  let at = rest.length;
  while (at > 0 && (rest[at - 1]?.t0_ms ?? 0) > line.t0_ms) at -= 1;
  return [...rest.slice(0, at), line, ...rest.slice(at)];
}

function lost(before: SittingView | null, after: SittingView, since: Readonly<Record<string, number>>, atMs: number): Readonly<Record<string, number>> {
  const wasPresent = new Set(before?.participants.filter((p) => p.present).map((p) => p.id));
  const result: Record<string, number> = {};
  const dropped = (p: ParticipantView) => !p.present && (p.id in since || wasPresent.has(p.id));
  for (const p of after.participants) if (dropped(p)) result[p.id] = since[p.id] ?? atMs;
  return result;
}

function withSitting(state: CourtState, sitting: SittingView, atMs: number): CourtState {
  if (state.sitting && sitting.number < state.sitting.number) return state; // a late message; the higher number wins
  const present = new Set(sitting.participants.filter((p) => p.present).map((p) => p.id));
  const speaking = sitting.state === "in_session" || sitting.state === "lobby" ? new Set([...state.speaking].filter((id) => present.has(id))) : new Set<string>();
  return { ...state, sitting, speaking, lostSince: lost(state.sitting, sitting, state.lostSince, atMs) };
}

function withSpeaking(state: CourtState, id: string, on: boolean): CourtState {
  const speaking = new Set(state.speaking);
  if (on) speaking.add(id);
  else speaking.delete(id);
  return { ...state, speaking, lastSpeaker: on ? id : state.lastSpeaker };
}

/** What of the progress still holds; nothing once the server has been silent about it. */
export function currentProgress(progress: CaptionProgress | null, nowMs: number): CaptionProgress | null {
  return progress && nowMs - progress.atMs < PROGRESS_LASTS_MS ? progress : null;
}

export function reduce(state: CourtState, event: CourtEvent): CourtState {
  switch (event.type) {
    case "connection":
      return { ...state, phase: event.phase, error: event.error };
    case "joined":
      return withSitting({ ...state, captions: event.joined.captions.reduce(addCaption, withEdits(state.captions, { captions: [], gone: event.joined.captions_gone })) }, event.joined.sitting, event.atMs);
    case "sitting.updated":
      return withSitting(state, event.sitting, event.atMs);
    case "caption.added":
      return { ...state, captions: addCaption(state.captions, event.caption) };
    case "captions.edited":
      return { ...state, captions: withEdits(state.captions, event.edits) };
    case "captions.progress":
      return { ...state, progress: { writing: event.writing, delayS: event.delay_s, atMs: event.atMs } };
    case "speaking.changed":
      return withSpeaking(state, event.participant_id, event.speaking);
    case "media.layers":
      return { ...state, layers: event.layers };
    case "quality.measured":
      return { ...state, quality: { ...state.quality, [event.quality.participant_id]: event.quality } };
    case "narrow":
      return state.narrow === event.narrow ? state : { ...state, narrow: event.narrow };
    case "media": // a new peer tells its layers anew
      return { ...state, media: event.phase, layers: event.phase === "off" ? [] : state.layers };
    default:
      return assertNever(event);
  }
}
