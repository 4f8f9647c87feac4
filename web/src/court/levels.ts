/** Loudness of a microphone for the level meter, by WebAudio. */
export const METER_STEPS = 8;
export const HEARD_AT_STEP = 3; // about −42 dBFS: somebody speaks, not the room's hum

/** Pure: whether nothing was heard for a while from somebody who is expected to speak; told of each measured step. */
export class SilenceWatch {
  private sinceMs: number | null = null;

  constructor(private readonly patienceMs: number) {}

  /** True when nothing has been heard for the whole patience. */
  step(step: number, nowMs: number): boolean {
    if (step >= HEARD_AT_STEP) this.sinceMs = null;
    else this.sinceMs ??= nowMs;
    return this.sinceMs !== null && nowMs - this.sinceMs >= this.patienceMs;
  }
}

/** Root mean square of samples in [-1, 1] as 0…METER_STEPS, on a scale of −60…−12 dBFS. */
export function meterStep(samples: Float32Array): number {
  let sum = 0;
  for (const s of samples) sum += s * s;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  const db = 20 * Math.log10(Math.max(rms, 1e-6));
  return Math.max(0, Math.min(METER_STEPS, Math.round(((db + 60) / 48) * METER_STEPS)));
}

export class LevelMeter {
  private readonly context = new AudioContext();
  private readonly analyser: AnalyserNode;
  private readonly source: MediaStreamAudioSourceNode;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(track: MediaStreamTrack, onLevel: (step: number) => void) {
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.source = this.context.createMediaStreamSource(new MediaStream([track]));
    this.source.connect(this.analyser);
    const samples = new Float32Array(this.analyser.fftSize);
    this.timer = setInterval(() => {
      if (this.context.state !== "running") void this.context.resume().catch(() => undefined); // suspended, or interrupted by a call
      this.analyser.getFloatTimeDomainData(samples);
      onLevel(meterStep(samples));
    }, 100);
  }

  close(): void {
    clearInterval(this.timer);
    this.source.disconnect();
    void this.context.close();
  }
}

/** A gentle two-note test tone of 1.2 s on the chosen loudspeaker. */
export async function playTestTone(element: HTMLAudioElement, sinkId: string): Promise<void> {
  const context = new AudioContext();
  const output = context.createMediaStreamDestination();
  const start = context.currentTime + 0.05;
  for (const [index, frequency] of [659, 880].entries()) {
    const tone = context.createOscillator();
    const gain = context.createGain();
    tone.frequency.value = frequency;
    gain.gain.setValueAtTime(0, start + index * 0.6);
    gain.gain.linearRampToValueAtTime(0.3, start + index * 0.6 + 0.05);
    gain.gain.linearRampToValueAtTime(0, start + index * 0.6 + 0.55);
    tone.connect(gain).connect(output);
    tone.start(start + index * 0.6);
    tone.stop(start + index * 0.6 + 0.6);
  }
  element.srcObject = output.stream;
  if (sinkId && "setSinkId" in element) await element.setSinkId(sinkId);
  await element.play();
  await new Promise((resolve) => setTimeout(resolve, 1_400));
  element.srcObject = null;
  await context.close();
}
