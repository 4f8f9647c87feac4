/** A picture of noise for measuring a line: it does not compress, and needs no camera. */
const WIDTH = 320;
const HEIGHT = 180;
const FRAMES_PER_S = 15;

/** xorshift32: a cheap stream of numbers that no codec can guess. */
function fill(words: Uint32Array, seed: number): number {
  let x = seed;
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x | 0xff000000; // opaque
  }
  return x;
}

export class NoisePicture {
  readonly track: MediaStreamTrack | null;
  private readonly timer: ReturnType<typeof setInterval> | undefined;

  /** `track` is null in a browser that cannot capture a canvas. */
  constructor() {
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    const drawing = canvas.getContext("2d");
    if (!drawing || typeof canvas.captureStream !== "function") {
      this.track = null;
      return;
    }
    const image = drawing.createImageData(WIDTH, HEIGHT);
    const words = new Uint32Array(image.data.buffer);
    let seed = 0x2545f491;
    const draw = () => {
      seed = fill(words, seed);
      drawing.putImageData(image, 0, 0);
    };
    draw();
    this.track = canvas.captureStream(FRAMES_PER_S).getVideoTracks()[0] ?? null;
    this.timer = setInterval(draw, 1000 / FRAMES_PER_S);
  }

  close(): void {
    clearInterval(this.timer);
    this.track?.stop();
  }
}
