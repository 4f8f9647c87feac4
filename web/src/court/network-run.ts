/** One run of the network check: connect as in a hearing, fill the line, then speak a sentence and hear it come back. */
import { downRate, measured, type Measured } from "./network-grade";
import { NetworkTest, type Snapshot } from "./network-test";
import { NoisePicture } from "./noise";

export type RunPhase = "connecting" | "speed" | "steady" | "speak" | "listen";

export interface RunDevices {
  microphone: MediaStreamTrack | null;
  camera: MediaStreamTrack | null;
  /** Output device id; "" for the default one. */
  speaker: string;
}

export interface Outcome {
  numbers: Measured;
  last: Snapshot;
}

const SPEED_MS = 5_000;
const SAMPLE_MS = 1_000;
const STEADY_MS = 4_000; // without a microphone
const SPEAK_MS = 3_000; // as long as the server holds a voice back: it begins to come when we have stopped
const LISTEN_MS = 3_600;
const FULL_BPS = 2_500_000;
const STEADY_BPS = 300_000;
const SILENCE_ENERGY = 1e-6; // more than three seconds of silence, less than a whisper

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export class NetworkRun {
  /** Whether sound came back the last time. */
  came = true;
  closed = false;
  private test: NetworkTest | null = null;
  private readonly noise = new NoisePicture();
  private readonly player = new Audio();
  private readonly voice: MediaStreamTrack | null;
  private readonly picture: MediaStreamTrack | null;

  /** `enter` hears each phase and how long it will take (0: unknown). */
  constructor(
    private readonly devices: RunDevices,
    private readonly enter: (phase: RunPhase, ms: number) => void,
  ) {
    this.voice = devices.microphone?.clone() ?? null; // switched by us, while the lobby's own track goes on
    if (this.voice) this.voice.enabled = false;
    this.picture = this.noise.track ?? devices.camera;
    this.player.muted = true;
  }

  get hasVoice(): boolean {
    return this.voice !== null;
  }

  /** Null when it was closed meanwhile. Raises PathFailed, CourtError. */
  async measure(): Promise<Outcome | null> {
    this.enter("connecting", 0);
    const test = (this.test = await NetworkTest.begin(null));
    if (this.closed) {
      await test.close();
      return null;
    }
    await test.connect(this.voice, this.picture);
    await this.preparePlayer(test);
    await test.limit(FULL_BPS);
    this.enter("speed", SPEED_MS);
    const best = await this.fillTheLine(test);
    await test.limit(STEADY_BPS);
    const from = await test.snapshot();
    const last = await (this.voice ? this.speakAndListen(test) : this.holdSteady(test));
    return this.closed ? null : { numbers: measured(from, last, best), last };
  }

  /** The voice once more, while the connection lasts; false when it is gone. */
  async sayAgain(): Promise<boolean> {
    const test = this.test;
    if (this.closed || test?.pc.connectionState !== "connected") return false;
    await this.speakAndListen(test);
    return true;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.player.srcObject = null;
    this.voice?.stop();
    this.noise.close();
    void this.test?.close();
  }

  private async preparePlayer(test: NetworkTest): Promise<void> {
    const back = test.track("audio");
    if (!back || !this.voice) return;
    this.player.srcObject = new MediaStream([back]);
    const { speaker } = this.devices;
    if (speaker && "setSinkId" in this.player) await this.player.setSinkId(speaker).catch(() => undefined); // gone since: the default one plays
    await this.player.play().catch(() => undefined); // the question whether it was heard shows it
  }

  /** The best second of each way. */
  private async fillTheLine(test: NetworkTest): Promise<{ upBps: number; downBps: number }> {
    let last = await test.snapshot();
    let downBps = 0;
    for (let spent = 0; spent < SPEED_MS && !this.closed; spent += SAMPLE_MS) {
      await pause(SAMPLE_MS);
      const now = await test.snapshot();
      downBps = Math.max(downBps, downRate(last, now));
      last = now;
    }
    return { upBps: last.there.up_best_bps, downBps };
  }

  private async holdSteady(test: NetworkTest): Promise<Snapshot> {
    this.enter("steady", STEADY_MS);
    await pause(STEADY_MS);
    return test.snapshot();
  }

  private async speakAndListen(test: NetworkTest): Promise<Snapshot> {
    const before = await test.snapshot();
    this.enter("speak", SPEAK_MS);
    if (this.voice) this.voice.enabled = true;
    await pause(SPEAK_MS);
    if (this.voice) this.voice.enabled = false; // what the loudspeaker plays must not go round again
    if (this.closed) return before;
    this.enter("listen", LISTEN_MS);
    this.player.muted = false;
    await pause(LISTEN_MS);
    this.player.muted = true;
    const after = await test.snapshot();
    this.came = after.here.energy - before.here.energy > SILENCE_ENERGY;
    return after;
  }
}
