/** How this browser is to send a voice, a face, a shared screen. Plain TypeScript and pure. */
import type { MediaKind } from "./offers";

interface Layer {
  maxBitrate: number;
  scaleResolutionDownBy: number;
}

/** Layers of the camera by RID, for 1280×720: 180, 360 and 720 lines. The server names them low first. */
const LAYERS: Readonly<Record<string, Layer>> = {
  l: { maxBitrate: 120_000, scaleResolutionDownBy: 4 },
  m: { maxBitrate: 300_000, scaleResolutionDownBy: 2 },
  h: { maxBitrate: 900_000, scaleResolutionDownBy: 1 },
};
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

/** Fill in what the sender of `kind` is to do; the encodings themselves (their number and RIDs) are the browser's. */
export function shape(kind: MediaKind, parameters: Parameters): void {
  for (const encoding of parameters.encodings) {
    encoding.active = true;
    encoding.priority = encoding.networkPriority = kind === "audio" ? "high" : "low";
    if (kind === "screen") encoding.maxBitrate = SCREEN_BPS;
    if (kind === "video") Object.assign(encoding, LAYERS[encoding.rid ?? ""] ?? { maxBitrate: ONE_LAYER_BPS });
  }
  const preference = GIVES_WAY[kind];
  if (preference) parameters.degradationPreference = preference;
}

export function hint(kind: MediaKind, track: MediaStreamTrack): void {
  if ("contentHint" in track) track.contentHint = CONTENT_HINTS[kind];
}

/** Tell a sender how to send. A browser that refuses sends at its own rates; the server's feedback still bounds those. */
export async function shapeSender(kind: MediaKind, sender: RTCRtpSender): Promise<void> {
  const parameters = sender.getParameters();
  shape(kind, parameters);
  try {
    await sender.setParameters(parameters);
  } catch {
    const plain = sender.getParameters(); // some refuse priorities and preferences, none a rate
    for (const [i, encoding] of plain.encodings.entries()) {
      const { maxBitrate, scaleResolutionDownBy } = parameters.encodings[i] ?? {};
      if (maxBitrate) encoding.maxBitrate = maxBitrate;
      if (scaleResolutionDownBy) encoding.scaleResolutionDownBy = scaleResolutionDownBy;
    }
    await sender.setParameters(plain).catch(() => undefined);
  }
}
