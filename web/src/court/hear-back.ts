/** What was just written to the disk (C35): who it is of, how loud, and the last seconds to play. Pure but for the fetch. */
import type { HearBackTrack, ParticipantView } from "@/protocol";

import { CourtError, refusal } from "./api";

export const METER_FROM_DBFS = -60;

export interface HeardPerson {
  person: ParticipantView;
  tracks: readonly HearBackTrack[]; // sound first
}

export interface HeardSound {
  content: Blob;
  t0_ms: number;
  t1_ms: number;
}

const KIND_ORDER = ["audio", "video", "screen"];

/** The tracks under their people, in the order of the hearing; those that are not being written first. */
export function byPerson(tracks: readonly HearBackTrack[], people: readonly ParticipantView[]): HeardPerson[] {
  const found = people
    .map((person) => ({ person, tracks: tracks.filter((track) => track.participant_id === person.id) }))
    .filter((one) => one.tracks.length)
    .map((one) => ({ ...one, tracks: one.tracks.toSorted((a, b) => KIND_ORDER.indexOf(a.kind) - KIND_ORDER.indexOf(b.kind)) }));
  const troubled = (one: HeardPerson) => one.tracks.some((track) => track.state === "not_written");
  return [...found.filter(troubled), ...found.filter((one) => !troubled(one))];
}

/** 0…1 of the meter: −60 dBFS and less is empty. */
export const meterShare = (dbfs: number | null): number => (dbfs === null ? 0 : Math.min(1, Math.max(0, 1 - dbfs / METER_FROM_DBFS)));

/** The last seconds of a track as they stand on the disk; refusals as CourtError. */
export async function fetchSound(sittingId: string, trackId: string): Promise<HeardSound> {
  const path = `/api/sittings/${encodeURIComponent(sittingId)}/hear-back/${encodeURIComponent(trackId)}.webm`;
  const response = await fetch(path, { credentials: "same-origin", cache: "no-store" }).catch(() => {
    throw new CourtError("offline", "");
  });
  if (!response.ok) throw await refusal(response);
  const [t0_ms = 0, t1_ms = 0] = (response.headers.get("X-Court-Span") ?? "").split("-").map(Number);
  return { content: await response.blob(), t0_ms, t1_ms };
}
