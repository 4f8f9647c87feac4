/** How this browser is to send a voice, a face, a shared screen. Plain TypeScript and pure. */
import type { MediaKind } from "./offers";

/** Rate of each layer of the camera, by RID. The server names them low first. */
const LAYER_BPS: Readonly<Record<string, number>> = { l: 120_000, m: 300_000, h: 900_000 };

/**
 * How many layers a picture is good for, and by how much each is made smaller: three from 960×540 (180, 360, 720 lines of
 * 720), two from 480×270, one below. Chromium sends no more layers than that, and would leave out the large ones.
 */
function scales(area: number): Readonly<Record<string, number>> {
  if (area >= 960 * 540) return { l: 4, m: 2, h: 1 };
  return area >= 480 * 270 ? { l: 2, m: 1 } : { l: 1 };
}

const ONE_LAYER_BPS = 900_000; // a browser that answers without layers
const SCREEN_BPS = 1_500_000; // written words must stay readable

/** W3C mediacapture: what the content is, so that the encoder gives way at the right end (frames, or sharpness). */
const CONTENT_HINTS: Readonly<Record<MediaKind, string>> = { audio: "speech", video: "motion", screen: "detail" };

/** What to give up first on a bad network: a face may lose sharpness, a page of text may lose frames. */
const GIVES_WAY: Readonly<Record<MediaKind, "maintain-framerate" | "maintain-resolution" | null>> = {
  audio: null,
  video: "maintain-framerate",
  screen: "maintain-resolution",
};

type Encoding = Pick<RTCRtpEncodingParameters, "rid" | "active" | "maxBitrate" | "scaleResolutionDownBy" | "priority" | "networkPriority">;
type Parameters = { encodings: Encoding[]; degradationPreference?: string };

/**
 * Fill in what the sender of `kind` is to do; the encodings themselves (their number and RIDs) are the browser's. `area` is
 * of the camera's picture, in pixels; Infinity: not known yet.
 */
export function shape(kind: MediaKind, parameters: Parameters, area = Infinity): void {
  for (const encoding of parameters.encodings) {
    encoding.active = true;
    encoding.priority = encoding.networkPriority = kind === "audio" ? "high" : "low";
    if (kind === "screen") encoding.maxBitrate = SCREEN_BPS;
    if (kind === "video") layer(encoding, area);
  }
  const preference = GIVES_WAY[kind];
  if (preference) parameters.degradationPreference = preference;
}

function layer(encoding: Encoding, area: number): void {
  const rid = encoding.rid ?? "";
  encoding.maxBitrate = LAYER_BPS[rid] ?? ONE_LAYER_BPS;
  if (!(rid in LAYER_BPS)) return;
  const scale = scales(area)[rid];
  encoding.active = scale !== undefined;
  encoding.scaleResolutionDownBy = scale ?? 1;
}

export function hint(kind: MediaKind, track: MediaStreamTrack): void {
  if ("contentHint" in track) track.contentHint = CONTENT_HINTS[kind];
}

function areaOf(track: MediaStreamTrack | null): number {
  const { width, height } = track?.getSettings() ?? {};
  return width && height ? width * height : Infinity;
}

/** Tell a sender how to send. A browser that refuses sends at its own rates; the server's feedback still bounds those. */
export async function shapeSender(kind: MediaKind, sender: RTCRtpSender): Promise<void> {
  const parameters = sender.getParameters();
  shape(kind, parameters, areaOf(sender.track));
  try {
    await sender.setParameters(parameters);
  } catch {
    const plain = sender.getParameters(); // some refuse priorities and preferences, none a rate
    for (const [i, encoding] of plain.encodings.entries()) {
      const { active = true, maxBitrate, scaleResolutionDownBy } = parameters.encodings[i] ?? {};
      encoding.active = active;
      if (maxBitrate) encoding.maxBitrate = maxBitrate;
      if (scaleResolutionDownBy) encoding.scaleResolutionDownBy = scaleResolutionDownBy;
    }
    await sender.setParameters(plain).catch(() => undefined);
  }
}
