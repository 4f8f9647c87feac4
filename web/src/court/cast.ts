/**
 * Whom the replay lets be heard and seen: the reader's choice, and for pictures who speaks, so that twelve people do not
 * need twelve decoders. Plain TypeScript and pure.
 */
import type { CaptionView, ParticipantView, RecordTrack } from "../protocol";
import type { Want } from "./replay";

/** court: everyone in their seat; speaker: who speaks, large; sound: no pictures. */
export const LAYOUTS = ["court", "speaker", "sound"] as const;
export type Layout = (typeof LAYOUTS)[number];

export interface Choice {
  layout: Layout;
  muted: ReadonlySet<string>;
  /** Nobody but these is heard; empty: everybody who is not muted. */
  solo: ReadonlySet<string>;
}

/** Pictures played at the same time: what a small office computer decodes without dropping sound. */
export const MOST_PICTURES: Readonly<Record<Layout, number>> = { court: 8, speaker: 3, sound: 0 };
/** Who speaks within this long from now gets a picture in time. */
const SOON_MS = 15_000;

export function isHeard(person_id: string, choice: Choice): boolean {
  return choice.solo.size > 0 ? choice.solo.has(person_id) : !choice.muted.has(person_id);
}

/** Whose pictures are played: who speaks now and soon, who spoke last, then the bench; at most `most` of them. */
export function seenNow(
  lines: readonly CaptionView[],
  people: readonly ParticipantView[],
  pictured: ReadonlySet<string>,
  t_ms: number,
  most: number,
): Set<string> {
  const seen = new Set<string>();
  const add = (id: string | null) => {
    if (id !== null && seen.size < most && pictured.has(id)) seen.add(id);
  };
  const speech = lines.filter((line) => line.kind === "speech" && line.t0_ms <= t_ms + SOON_MS);
  for (let i = speech.length - 1; i >= 0 && seen.size < most; i -= 1) add(speech[i]?.participant_id ?? null);
  for (const person of people) add(person.id);
  return seen;
}

/** What each track is for the replay. `large`: whose picture fills the middle. */
export function wantsOf(tracks: readonly RecordTrack[], choice: Choice, seen: ReadonlySet<string>, large: string | null, sharer: string | null): Map<string, Want> {
  const want = (track: RecordTrack): Want => {
    if (track.kind === "audio") return isHeard(track.participant_id, choice) ? "essential" : "no";
    if (choice.layout === "sound") return "no";
    if (track.kind === "screen") return track.participant_id === sharer ? "essential" : "no";
    if (track.participant_id === large) return "essential";
    return seen.has(track.participant_id) ? "extra" : "no";
  };
  return new Map(tracks.map((track) => [track.track_id, want(track)]));
}
