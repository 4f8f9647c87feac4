/** The device check before a hearing (P5): picture, level, test tone, and the result for the clerk. */
import { computed, onScopeDispose, ref, watch } from "vue";

import { sendSelfTest } from "@/court/api";
import { obstacleIn, surroundings } from "@/court/devices";
import { HEARD_AT_STEP, LevelMeter, playTestTone } from "@/court/levels";
import type { NetworkResult, SelfTest } from "@/protocol";

import { useDevices } from "./useDevices";

const QUIET_AFTER_MS = 8_000;

function useMeter(track: () => MediaStreamTrack | null) {
  const level = ref(0);
  const heard = ref(false);
  const quiet = ref(false);
  let meter: LevelMeter | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function close(): void {
    meter?.close();
    meter = null;
    clearTimeout(timer);
    level.value = 0;
  }

  watch(track, (now) => {
    close();
    heard.value = quiet.value = false;
    if (!now) return;
    meter = new LevelMeter(now, (step) => {
      level.value = step;
      if (step >= HEARD_AT_STEP) heard.value = true;
    });
    timer = setTimeout(() => (quiet.value = true), QUIET_AFTER_MS);
  });
  onScopeDispose(close);
  return { level, heard, quiet: computed(() => quiet.value && !heard.value) };
}

function useTone(sink: () => string) {
  const tone = ref<"idle" | "playing" | "asking" | "heard" | "not_heard" | "failed">("idle");
  async function playTone(): Promise<void> {
    tone.value = "playing";
    try {
      await playTestTone(new Audio(), sink());
      tone.value = "asking";
    } catch {
      tone.value = "failed";
    }
  }
  return { tone, playTone };
}

export function useDeviceCheck() {
  const obstacle = obstacleIn(surroundings());
  const devices = useDevices();
  const started = ref(false);
  const meter = useMeter(() => devices.tracks.audio.value);
  const { tone, playTone } = useTone(() => devices.state.choice.speaker);

  async function start(): Promise<void> {
    if (obstacle) return;
    started.value = true;
    await devices.open("audio");
    await devices.open("video");
  }

  const cameraDone = computed(() => devices.tracks.video.value !== null);
  const microphoneDone = computed(() => devices.tracks.audio.value !== null && meter.heard.value);
  const speakerDone = computed(() => tone.value === "heard");
  const complete = computed(() => cameraDone.value && microphoneDone.value && speakerDone.value);

  const outcome = (problem: string | null): "ok" | "none" | "denied" | "failed" => (problem === null ? "ok" : problem === "none" || problem === "denied" ? problem : "failed");
  function result(network: NetworkResult | null): SelfTest {
    const { problem } = devices.state;
    const silent = problem.audio === null && !meter.heard.value;
    const speaker = { heard: "ok", not_heard: "failed", failed: "failed" } as const;
    return {
      camera: cameraDone.value ? "ok" : outcome(problem.video ?? (obstacle ? "failed" : "none")),
      microphone: silent && devices.tracks.audio.value ? "silent" : devices.tracks.audio.value ? "ok" : outcome(problem.audio ?? (obstacle ? "failed" : "none")),
      speaker: tone.value in speaker ? speaker[tone.value as keyof typeof speaker] : "unchecked",
      browser: navigator.userAgent.slice(0, 300),
      network,
    };
  }

  return { obstacle, devices, started, start, ...meter, tone, playTone, cameraDone, microphoneDone, speakerDone, complete, send: (network: NetworkResult | null) => sendSelfTest(result(network)) };
}

export type DeviceCheck = ReturnType<typeof useDeviceCheck>;
