/** A13: every path to the court tried by itself, one after another, with what it was worth. */
import { computed, onScopeDispose, reactive, ref } from "vue";

import { CourtError } from "@/court/api";
import { downRate, judge, measured, type Measured } from "@/court/network-grade";
import { type Family, MEDIA_PATHS, type MediaPath } from "@/court/network-paths";
import { NetworkTest, PathFailed, type PathProblem, type Snapshot } from "@/court/network-test";
import { NoisePicture } from "@/court/noise";

export type PathState = "waiting" | "running" | "ok" | "weak" | "failed" | "absent";

export interface PathRow {
  path: MediaPath;
  state: PathState;
  setUpMs: number | null;
  numbers: Measured | null;
  problem: PathProblem | null;
  family: Family | null;
  addresses: string[];
}

export type Overall = "direct" | "relay" | "weak" | "none" | "unfinished";

const SETTLE_MS = 1_000;
const MEASURE_MS = 4_000;
const LOAD_BPS = 1_000_000;
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const fresh = (path: MediaPath): PathRow => ({ path, state: "waiting", setUpMs: null, numbers: null, problem: null, family: null, addresses: [] });

/** A loaded path is held to less than a hearing's line: the picture sent here is limited on purpose. */
function worth(numbers: Measured): PathState {
  return judge({ ...numbers, upBps: numbers.upBps * 2, downBps: numbers.downBps * 2 }).grade === "poor" ? "weak" : "ok";
}

async function run(row: PathRow, picture: MediaStreamTrack | null, keep: (test: NetworkTest | null) => void): Promise<void> {
  const test = await NetworkTest.begin(row.path);
  keep(test);
  try {
    row.addresses = test.addresses;
    row.setUpMs = Math.round(await test.connect(null, picture));
    await test.limit(LOAD_BPS);
    await pause(SETTLE_MS);
    const from: Snapshot = await test.snapshot();
    await pause(MEASURE_MS);
    const to = await test.snapshot();
    row.numbers = measured(from, to, { upBps: to.there.up_bps, downBps: downRate(from, to) });
    row.family = to.here.family;
    row.state = worth(row.numbers);
  } finally {
    keep(null);
    await test.close();
  }
}

function fail(row: PathRow, error: unknown): void {
  if (!(error instanceof PathFailed) && !(error instanceof CourtError)) throw error;
  row.problem = error instanceof PathFailed ? error.problem : "blocked";
  row.state = row.problem === "no_relay" ? "absent" : "failed";
}

export function usePathTests() {
  const rows = reactive<PathRow[]>(MEDIA_PATHS.map(fresh));
  const running = ref(false);
  const finishedAt = ref<Date | null>(null);
  let current: NetworkTest | null = null;
  let stopped = false;

  async function start(): Promise<void> {
    rows.splice(0, rows.length, ...MEDIA_PATHS.map(fresh));
    running.value = true;
    finishedAt.value = null;
    stopped = false;
    const noise = new NoisePicture();
    try {
      for (const row of rows) {
        if (stopped) return;
        row.state = "running";
        await run(row, noise.track, (test) => (current = test)).catch((error: unknown) => fail(row, error));
      }
      finishedAt.value = new Date();
    } finally {
      noise.close();
      running.value = false;
    }
  }

  function stop(): void {
    stopped = true;
    void current?.close();
  }

  onScopeDispose(stop);
  const at = computed(() => rows.findIndex((row) => row.state === "running") + 1);
  const family = computed(() => rows.find((row) => row.family)?.family ?? null);
  const noRelay = computed(() => rows.slice(1).every((row) => row.state === "absent"));
  const overall = computed<Overall>(() => {
    if (!finishedAt.value) return "unfinished";
    if (rows[0]?.state === "ok") return "direct";
    if (rows.some((row) => row.state === "ok")) return "relay";
    return rows.some((row) => row.state === "weak") ? "weak" : "none";
  });
  const advice = computed(() => (overall.value === "none" ? (noRelay.value ? "noneNoRelay" : "noneRelay") : overall.value));
  return { rows, running, at, finishedAt, family, noRelay, overall, advice, start, stop };
}
