/** Thin bridge between the page and court/replay.ts: media elements in, playhead and states out. */
import { computed, onScopeDispose, ref, shallowRef, type Ref } from "vue";

import { CourtError, refusal } from "@/court/api";
import { Replay, ReplayClock, type Coverage, type ReplayState } from "@/court/replay";
import { canReplay, SegmentedTrack } from "@/court/segmented-track";
import type { RecordView } from "@/protocol";

/** Ten times a second keeps tracks within a frame or two and the playhead smooth enough to read. */
const TICK_MS = 100;

export interface ReplayHandle {
  supported: boolean;
  t_ms: Readonly<Ref<number>>;
  state: Readonly<Ref<ReplayState>>;
  coverage: Readonly<Ref<Readonly<Record<string, Coverage>>>>;
  rate: Readonly<Ref<number>>;
  skipBreaks: Ref<boolean>;
  register(track_id: string, element: HTMLMediaElement | null): void;
  element(track_id: string): HTMLMediaElement | null;
  start(): void;
  toggle(): void;
  play(): void;
  seek(t_ms: number): void;
  setRate(rate: number): void;
}

async function fetchSegment(url: string, signal: AbortSignal): Promise<ArrayBuffer> {
  const response = await fetch(url, { credentials: "same-origin", signal }).catch((error: unknown) => {
    throw new CourtError("offline", String(error));
  });
  if (!response.ok) throw await refusal(response);
  return response.arrayBuffer();
}

/** Call start() when all media elements are registered (after mount). */
export function useReplay(record: RecordView): ReplayHandle {
  const elements = new Map<string, HTMLMediaElement>();
  const now = () => performance.now();
  const clock = new ReplayClock(now, record.duration_ms);
  let replay = new Replay(clock, [], record.intervals, now);
  let tracks: SegmentedTrack[] = [];
  let timer: ReturnType<typeof setInterval> | undefined;

  const t_ms = ref(0);
  const state = ref<ReplayState>("paused");
  const rate = ref(1);
  const coverage = shallowRef<Record<string, Coverage>>({});

  function show(): void {
    t_ms.value = clock.t_ms;
    state.value = replay.state;
    rate.value = clock.rate;
    const next = Object.fromEntries(tracks.map((track) => [track.track_id, track.coverage(clock.t_ms)]));
    if (Object.entries(next).some(([id, one]) => coverage.value[id] !== one)) coverage.value = next;
  }

  function then(act: () => void): void {
    act();
    show();
  }

  function start(): void {
    const ends = record.tracks.flatMap((track) => track.segments.map((segment) => segment.t1_ms));
    const length_ms = Math.max(record.duration_ms, ...ends);
    tracks = record.tracks.flatMap((track) => {
      const element = elements.get(track.track_id);
      return element && canReplay() ? [new SegmentedTrack(element, track, length_ms, fetchSegment)] : [];
    });
    replay = new Replay(clock, tracks, record.intervals, now);
    timer = setInterval(() => then(() => replay.tick()), TICK_MS);
  }

  onScopeDispose(() => {
    clearInterval(timer);
    replay.close();
  });

  return {
    supported: canReplay(),
    t_ms,
    state,
    coverage,
    rate,
    skipBreaks: computed({ get: () => replay.skip_breaks, set: (skip) => (replay.skip_breaks = skip) }),
    register: (track_id, element) => void (element ? elements.set(track_id, element) : elements.delete(track_id)),
    element: (track_id) => elements.get(track_id) ?? null,
    start,
    toggle: () => then(() => (state.value === "playing" || state.value === "waiting" ? replay.pause() : replay.play())),
    play: () => then(() => replay.play()),
    seek: (to) => then(() => replay.seek(to)),
    setRate: (next) => then(() => replay.setRate(next)),
  };
}
