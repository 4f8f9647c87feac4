/** Thin bridge between the page and court/replay.ts: media elements in, playhead and states out. */
import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from "vue";

import { Replay, ReplayClock, union, type Coverage, type ReplayState, type Span, type Want } from "@/court/replay";
import { unpackSpans } from "@/court/segment-index";
import { canReplay, SegmentedTrack, type SegmentSource } from "@/court/segmented-track";
import type { RecordView } from "@/protocol";

import { useSegments, type Trouble } from "./useSegments";

/** Ten times a second keeps tracks within a frame or two and the playhead smooth enough to read. */
const TICK_MS = 100;
/** What is known of the segments reaches this far beyond what is fetched. */
const INDEX_AROUND_MS = 60_000;

export interface ReplayHandle {
  supported: boolean;
  t_ms: Readonly<Ref<number>>;
  state: Readonly<Ref<ReplayState>>;
  coverage: Readonly<Ref<Readonly<Record<string, Coverage>>>>;
  rate: Readonly<Ref<number>>;
  trouble: Readonly<Ref<Trouble>>;
  skipBreaks: Ref<boolean>;
  skipQuiet: Ref<boolean>;
  register(track_id: string, element: HTMLMediaElement | null): void;
  element(track_id: string): HTMLMediaElement | null;
  want(track_id: string, want: Want): void;
  start(): void;
  toggle(): void;
  play(): void;
  pause(): void;
  seek(t_ms: number): void;
  setRate(rate: number): void;
}

/** Breaks of the sitting and parts kept from this viewer: nothing is heard in them. */
export function breaksOf(record: RecordView): Span[] {
  const hidden = record.hidden.filter((one) => one.track_id === "");
  return union([...record.intervals.filter((one) => one.recorded === "none"), ...hidden].map(({ t0_ms, t1_ms }) => ({ t0_ms, t1_ms })));
}

/** A track for each media element; sound first, because it is fetched in this order. */
function tracksOf(record: RecordView, elements: ReadonlyMap<string, HTMLMediaElement>, source: SegmentSource): SegmentedTrack[] {
  const found = record.tracks.flatMap((track) => {
    const element = elements.get(track.track_id);
    return element && canReplay() ? [new SegmentedTrack(element, track, record.duration_ms + INDEX_AROUND_MS, source)] : [];
  });
  return found.sort((a, b) => Number(a.kind !== "audio") - Number(b.kind !== "audio"));
}

/** What the page sees of the replay; refreshed by show(). */
function useShown(clock: ReplayClock) {
  const t_ms = ref(0);
  const state = ref<ReplayState>("paused");
  const rate = ref(1);
  const coverage = shallowRef<Record<string, Coverage>>({});

  function show(now: ReplayState, tracks: readonly SegmentedTrack[]): void {
    t_ms.value = clock.t_ms;
    state.value = now;
    rate.value = clock.rate;
    const next = Object.fromEntries(tracks.map((track) => [track.track_id, track.coverage(clock.t_ms)]));
    if (Object.entries(next).some(([id, one]) => coverage.value[id] !== one)) coverage.value = next;
  }

  return { t_ms, state, rate, coverage, show };
}

/** Call start() when all media elements are registered (after mount). */
export function useReplay(record: RecordView): ReplayHandle {
  const [elements, wants] = [new Map<string, HTMLMediaElement>(), new Map<string, Want>()];
  const now = () => performance.now();
  const clock = new ReplayClock(now, record.duration_ms);
  let replay = new Replay(clock, [], now);
  let tracks: SegmentedTrack[] = [];
  let timer: ReturnType<typeof setInterval> | undefined;

  const { t_ms, state, rate, coverage, show } = useShown(clock);
  const skipBreaks = ref(true);
  const skipQuiet = ref(false);
  const skips = computed(() => union([...(skipBreaks.value ? breaksOf(record) : []), ...(skipQuiet.value ? unpackSpans(record.quiet) : [])]));

  const { index, source, trouble } = useSegments(record, tick);

  function then(act: () => void): void {
    act();
    show(replay.state, tracks);
  }

  function tick(): void {
    if (!timer) return;
    const at = clock.t_ms;
    index.need(at, [{ t0_ms: at - INDEX_AROUND_MS, t1_ms: at + INDEX_AROUND_MS }]);
    replay.hold = trouble.value === "offline";
    then(() => replay.tick());
  }

  function start(): void {
    tracks = tracksOf(record, elements, source);
    replay = new Replay(clock, tracks, now);
    for (const [track_id, want] of wants) replay.want(track_id, want);
    replay.skips = skips.value;
    timer = setInterval(tick, TICK_MS);
    tick();
  }

  watch(skips, (next) => (replay.skips = next));
  onScopeDispose(() => {
    clearInterval(timer);
    timer = undefined;
    replay.close();
  });

  return {
    supported: canReplay(),
    t_ms,
    state,
    coverage,
    rate,
    trouble,
    skipBreaks,
    skipQuiet,
    register: (track_id, element) => void (element ? elements.set(track_id, element) : elements.delete(track_id)),
    element: (track_id) => elements.get(track_id) ?? null,
    want: (track_id, want) => {
      wants.set(track_id, want);
      replay.want(track_id, want);
    },
    start,
    toggle: () => then(() => (state.value === "playing" || state.value === "waiting" ? replay.pause() : replay.play())),
    play: () => then(() => replay.play()),
    pause: () => then(() => replay.pause()),
    seek: (to) => then(() => replay.seek(to)),
    setRate: (next) => then(() => replay.setRate(next)),
  };
}
