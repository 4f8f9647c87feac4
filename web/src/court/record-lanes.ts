/**
 * What the record page draws, computed from RecordView: lanes, the line being heard, the page being shown.
 *
 * Plain TypeScript and pure. Times are milliseconds on the record clock.
 */
import type { CaptionView, ParticipantView, RecordScreen, RecordShowing, RecordTrack, RecordView, Role } from "../protocol";

export interface Span {
  t0_ms: number;
  t1_ms: number;
}

/** One speaker's lane: when this person was heard. */
export interface SpeakerLane {
  participant_id: string;
  role: Role;
  label: string;
  name: string;
  spans: Span[];
}

/** A stretch of the recording lane. `cause` says why nothing was recorded, or what is missing. */
export interface RecordingStretch extends Span {
  kind: "recorded" | "break" | "sealed" | "gap";
  cause: string;
  participant_id: string | null;
}

/** Causes for which nothing was to be recorded (record/verify.py BENIGN): no picture then, but nothing is missing. */
export const BENIGN: readonly string[] = ["absent", "outside", "camera_off", "muted", "not_shared", "joining", "leaving"];

/** Lines closer than this are one utterance to the eye; in a long sitting what no eye can part is drawn as one. */
const MERGE_MS = 800;
const MERGE_SHARE = 1 / 1500;

const SEAT_ORDER: readonly Role[] = [
  "presiding_judge",
  "judge",
  "assessor",
  "clerk",
  "plaintiff",
  "defendant",
  "third_party",
  "agent",
  "witness",
  "expert",
  "interpreter",
  "observer",
];

/** Place of a moment on the lane, in percent of the sitting. */
export function percent(t_ms: number, duration_ms: number): number {
  if (duration_ms <= 0) return 0;
  return (100 * Math.max(0, Math.min(duration_ms, t_ms))) / duration_ms;
}

/** Style of a stretch on a lane; a short one keeps three pixels so that it can be seen and hit. */
export function stretchStyle(span: Span, duration_ms: number): { insetInlineStart: string; inlineSize: string } {
  const start = percent(span.t0_ms, duration_ms);
  const size = percent(span.t1_ms, duration_ms) - start;
  return { insetInlineStart: `${start.toFixed(3)}%`, inlineSize: `max(3px, ${size.toFixed(3)}%)` };
}

/** Everyone who was heard, in the order of the seats, with neighbouring lines joined. */
export function speakerLanes(lines: readonly CaptionView[], people: readonly ParticipantView[], duration_ms = 0): SpeakerLane[] {
  const merge_ms = Math.max(MERGE_MS, duration_ms * MERGE_SHARE);
  const spoken = lines.filter((line) => line.kind === "speech" && line.participant_id !== null);
  return bySeat(people)
    .map((person) => ({
      participant_id: person.id,
      role: person.role,
      label: person.label,
      name: person.name,
      spans: joined(spoken.filter((line) => line.participant_id === person.id), merge_ms),
    }))
    .filter((lane) => lane.spans.length > 0);
}

/** Participants in the order of the room: bench, parties with their agents, the others. */
export function bySeat(people: readonly ParticipantView[]): ParticipantView[] {
  return [...people].sort((a, b) => SEAT_ORDER.indexOf(a.role) - SEAT_ORDER.indexOf(b.role));
}

function joined(spans: readonly Span[], merge_ms = MERGE_MS): Span[] {
  const result: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.t0_ms - b.t0_ms)) {
    const last = result.at(-1);
    if (last && span.t0_ms - last.t1_ms <= merge_ms) last.t1_ms = Math.max(last.t1_ms, span.t1_ms);
    else result.push({ t0_ms: span.t0_ms, t1_ms: span.t1_ms });
  }
  return result;
}

/** The recording lane: what was recorded, the declared breaks, and the gaps of single tracks on top. */
export function recordingStretches(record: Pick<RecordView, "intervals" | "hidden" | "tracks">): RecordingStretch[] {
  const base = record.intervals.map((one): RecordingStretch => ({
    t0_ms: one.t0_ms,
    t1_ms: one.t1_ms,
    kind: one.recorded === "none" ? "break" : one.recorded === "sealed" ? "sealed" : "recorded",
    cause: one.cause,
    participant_id: null,
  }));
  const ordered = record.hidden.filter((one) => one.track_id === "" && !record.intervals.some((known) => known.recorded === "sealed" && known.t0_ms === one.t0_ms));
  const sealed = ordered.map(({ t0_ms, t1_ms }): RecordingStretch => ({ t0_ms, t1_ms, kind: "sealed", cause: "", participant_id: null }));
  return [...base, ...sealed, ...gapStretches(record.tracks)];
}

/** What is missing, one stretch per person and cause: a lost connection takes sound and picture together. */
export function gapStretches(tracks: readonly RecordTrack[]): RecordingStretch[] {
  const gaps: RecordingStretch[] = [];
  for (const track of tracks) {
    for (const gap of track.gaps.filter((one) => !BENIGN.includes(one.cause))) {
      const known = gaps.find((one) => one.participant_id === track.participant_id && overlap(one, gap));
      if (!known) gaps.push({ ...gap, kind: "gap", participant_id: track.participant_id });
      else {
        known.t0_ms = Math.min(known.t0_ms, gap.t0_ms);
        known.t1_ms = Math.max(known.t1_ms, gap.t1_ms);
      }
    }
  }
  return gaps.sort((a, b) => a.t0_ms - b.t0_ms);
}

function overlap(a: Span, b: Span): boolean {
  return a.t0_ms <= b.t1_ms && b.t0_ms <= a.t1_ms;
}

/** Why a track has nothing at this moment, as the record declares it. */
export function causeAt(track: RecordTrack, t_ms: number): string | null {
  return track.gaps.find((gap) => t_ms >= gap.t0_ms && t_ms < gap.t1_ms)?.cause ?? null;
}

/** The exhibit page that was before everyone's eyes at this moment. */
export function showingAt(showings: readonly RecordShowing[], t_ms: number): RecordShowing | null {
  return showings.find((one) => t_ms >= one.t0_ms && t_ms < one.t1_ms) ?? null;
}

/** Whose screen was before everyone's eyes at this moment. */
export function screenAt(screens: readonly RecordScreen[], t_ms: number): RecordScreen | null {
  return screens.find((one) => t_ms >= one.t0_ms && t_ms < one.t1_ms) ?? null;
}

/** Each time a page of an exhibit was turned to, in order of time. */
export function pageMoments(showings: readonly RecordShowing[], exhibit_id: string): readonly RecordShowing[] {
  return showings.filter((one) => one.exhibit_id === exhibit_id).sort((a, b) => a.t0_ms - b.t0_ms);
}

/** All moments of one exhibit, pages shown one after another joined. */
export function momentsOf(showings: readonly RecordShowing[], exhibit_id: string): Span[] {
  return joined(showings.filter((one) => one.exhibit_id === exhibit_id));
}

/** Each showing of an exhibit as one stretch of the exhibit lane, its pages joined. */
export function exhibitStretches(showings: readonly RecordShowing[]): (Span & { exhibit_id: string })[] {
  const ids = [...new Set(showings.map((one) => one.exhibit_id))];
  return ids
    .flatMap((exhibit_id) => momentsOf(showings, exhibit_id).map((span) => ({ ...span, exhibit_id })))
    .sort((a, b) => a.t0_ms - b.t0_ms);
}

/** Who is heard now: the last speech line that began and has not ended. */
export function speakerAt(lines: readonly CaptionView[], t_ms: number): string | null {
  const heard = lines.filter((line) => line.kind === "speech" && t_ms >= line.t0_ms && t_ms < line.t1_ms);
  return heard.at(-1)?.participant_id ?? null;
}

/** Who was heard last at or before this moment. */
export function lastSpeaker(lines: readonly CaptionView[], t_ms: number): string | null {
  return lines.findLast((line) => line.kind === "speech" && line.t0_ms <= t_ms)?.participant_id ?? null;
}

/** The line to follow: the last one that has begun; -1 before the first. Lines are in order of t0_ms. */
export function followedLine(lines: readonly CaptionView[], t_ms: number): number {
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const line = lines[middle];
    if (line && line.t0_ms <= t_ms) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Marks of the ruler, evenly spread, first and last included. */
export function rulerMarks(duration_ms: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.round((duration_ms * i) / (count - 1)));
}
