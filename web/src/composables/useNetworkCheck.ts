/** The lobby's network step (P5): runs the check, asks whether the own voice was heard, keeps the result for the clerk. */
import { computed, onScopeDispose, type Ref, ref, shallowRef } from "vue";

import { CourtError } from "@/court/api";
import { judge, type Measured, NO_CONNECTION, toResult } from "@/court/network-grade";
import { NetworkRun, type RunPhase } from "@/court/network-run";
import { PathFailed, type PathProblem } from "@/court/network-test";
import type { NetworkResult } from "@/protocol";

import type { DeviceCheck } from "./useDeviceCheck";

export type NetworkPhase = "idle" | RunPhase | "ask" | "done" | "failed";
const RUNNING: readonly NetworkPhase[] = ["connecting", "speed", "steady", "speak", "listen"];

/** A connection that breaks off while we measure is a path that does not carry a hearing. */
function problemOf(error: unknown): PathProblem {
  if (error instanceof PathFailed) return error.problem;
  if (error instanceof CourtError) return error.code === "offline" ? "offline" : "blocked";
  throw error;
}

function derived(phase: Ref<NetworkPhase>, numbers: Ref<Measured | null>, result: Ref<NetworkResult | null>) {
  const running = computed(() => RUNNING.includes(phase.value));
  const grade = computed(() => result.value?.grade ?? null);
  const weakness = computed(() => (numbers.value ? judge(numbers.value).weakness : null));
  const complete = computed(() => (grade.value === "good" || grade.value === "fair") && !running.value);
  return { running, grade, weakness, complete };
}

export function useNetworkCheck(check: DeviceCheck) {
  const phase = ref<NetworkPhase>("idle");
  const phaseMs = ref(0);
  const problem = ref<PathProblem | null>(null);
  const numbers = shallowRef<Measured | null>(null);
  const result = shallowRef<NetworkResult | null>(null);
  const came = ref(true);
  const hasVoice = ref(false);
  let run: NetworkRun | null = null;

  function enter(next: NetworkPhase, ms = 0): void {
    phase.value = next;
    phaseMs.value = ms;
  }

  async function guarded(mine: NetworkRun, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (mine.closed) return; // started anew, or the page was left
      mine.close();
      problem.value = problemOf(error);
      numbers.value = null;
      result.value = NO_CONNECTION;
      enter("failed");
    }
  }

  async function start(): Promise<void> {
    run?.close();
    problem.value = numbers.value = result.value = null;
    const { tracks, state } = check.devices;
    const devices = { microphone: tracks.audio.value, camera: tracks.video.value, speaker: state.choice.speaker };
    const mine: NetworkRun = (run = new NetworkRun(devices, (next, ms) => !mine.closed && enter(next, ms)));
    hasVoice.value = mine.hasVoice;
    await guarded(mine, async () => {
      const outcome = await mine.measure();
      if (!outcome) return;
      came.value = mine.came;
      numbers.value = outcome.numbers;
      result.value = toResult(outcome.numbers, outcome.last, null);
      enter(mine.hasVoice ? "ask" : "done");
      if (!mine.hasVoice) mine.close();
    });
  }

  async function sayAgain(): Promise<void> {
    const mine = run;
    if (!mine) return;
    let lasted = false;
    await guarded(mine, async () => void (lasted = await mine.sayAgain()));
    if (mine.closed) return;
    came.value = mine.came;
    if (lasted) enter("ask");
    else await start();
  }

  function answer(heard: boolean): void {
    run?.close();
    if (result.value) result.value = { ...result.value, heard_own_voice: heard };
    enter("done");
  }

  onScopeDispose(() => run?.close());
  return { phase, phaseMs, problem, result, came, hasVoice, ...derived(phase, numbers, result), start, sayAgain, answer };
}

export type NetworkCheck = ReturnType<typeof useNetworkCheck>;
