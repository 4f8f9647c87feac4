/** Cameras, microphones, loudspeakers: what can be used here, what was chosen, what to tell a person when it fails. */

import { inAppBrowser } from "./in-app";

/** What is in the way before any device is asked for. */
export type Obstacle = "in_app_browser" | "insecure_context" | "unsupported";
/** Why a device did not open. `field` names of the advice texts. */
export type DeviceProblem = "denied" | "none" | "busy" | "gone" | "silent" | "failed";
export type DeviceKind = "audio" | "video";

export interface Surroundings {
  userAgent: string;
  secure: boolean;
  hasMediaDevices: boolean;
  hasPeerConnection: boolean;
}

export function surroundings(): Surroundings {
  const mediaDevices: MediaDevices | undefined = navigator.mediaDevices;
  return {
    userAgent: navigator.userAgent,
    secure: window.isSecureContext,
    hasMediaDevices: typeof mediaDevices?.getUserMedia === "function",
    hasPeerConnection: typeof window.RTCPeerConnection === "function",
  };
}

/** The first thing a person has to change before devices can work; null when nothing is in the way. */
export function obstacleIn(here: Surroundings): Obstacle | null {
  const able = here.hasMediaDevices && here.hasPeerConnection;
  if (inAppBrowser(here.userAgent)) return "in_app_browser"; // even where it seems to work, calls break on switching apps
  if (!here.secure) return "insecure_context"; // mediaDevices is missing there, so this comes before "unsupported"
  return able ? null : "unsupported";
}

/** Errors of getUserMedia (W3C Media Capture 10.2) to the advice a person gets. */
export function problemOf(error: unknown): DeviceProblem {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError") return "none";
  if (name === "OverconstrainedError") return "gone";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "failed";
}

/** A telephone or tablet, where a page in the background loses camera, microphone and soon the network. */
export function isHandheld(userAgent: string, touchPoints: number): boolean {
  if (/Android|iPhone|iPod|HarmonyOS|OpenHarmony|Mobile/iu.test(userAgent)) return true;
  return /iPad|Macintosh/u.test(userAgent) && touchPoints > 1; // an iPad calls itself a Macintosh
}

/** Whether this browser can share a screen at all; telephones cannot. */
export const canShareScreen = (): boolean => typeof (navigator.mediaDevices as MediaDevices | undefined)?.getDisplayMedia === "function";

export interface Choice {
  camera: string;
  microphone: string;
  speaker: string;
}

/** What the browser does to the voice before it is sent; all on unless somebody knows better (W3C Media Capture 4.3.5). */
export interface Processing {
  echoCancellation: boolean;
  noiseSuppression: boolean;
  autoGainControl: boolean;
}
export const PROCESSING: readonly (keyof Processing)[] = ["echoCancellation", "noiseSuppression", "autoGainControl"];

const KEY = "court.devices";
const PROCESSING_KEY = "court.voice";

export function rememberedProcessing(): Processing {
  try {
    const value = JSON.parse(localStorage.getItem(PROCESSING_KEY) ?? "{}") as Partial<Record<keyof Processing, unknown>>;
    return { echoCancellation: value.echoCancellation !== false, noiseSuppression: value.noiseSuppression !== false, autoGainControl: value.autoGainControl !== false };
  } catch {
    return { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  }
}

export function rememberProcessing(processing: Processing): void {
  try {
    localStorage.setItem(PROCESSING_KEY, JSON.stringify(processing));
  } catch {
    // private browsing: all on again next time
  }
}

export function rememberedChoice(): Choice {
  const none: Choice = { camera: "", microphone: "", speaker: "" };
  try {
    const value = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Record<string, unknown>;
    const text = (v: unknown) => (typeof v === "string" ? v : "");
    return { camera: text(value.camera), microphone: text(value.microphone), speaker: text(value.speaker) };
  } catch {
    return none;
  }
}

export function rememberChoice(choice: Choice): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(choice));
  } catch {
    // private browsing: chosen again next time
  }
}

export interface DeviceLists {
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
}

export async function listDevices(): Promise<DeviceLists> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind) => all.filter((d) => d.kind === kind && d.deviceId !== "");
  return { cameras: of("videoinput"), microphones: of("audioinput"), speakers: of("audiooutput") };
}

/** The device that a running track comes from; "" where the browser does not say. */
export const deviceOf = (track: MediaStreamTrack | null): string => track?.getSettings().deviceId ?? "";

/**
 * What to do when devices were plugged in or out. `now`: the device in use ("" none), `chosen`: the person's choice ("" the
 * system's default), `there`: ids of the devices that can be used.
 */
export function afterChange(now: string, chosen: string, there: readonly string[]): "keep" | "open" {
  if (now === "") return there.length > 0 ? "open" : "keep";
  if (chosen !== "" && chosen !== now && there.includes(chosen)) return "open"; // the chosen one is plugged in again
  return there.includes(now) || there.length === 0 ? "keep" : "open";
}

function constraintsFor(kind: DeviceKind, deviceId: string, processing: Processing): MediaStreamConstraints {
  const device = deviceId ? { deviceId: { exact: deviceId } } : {};
  if (kind === "audio") return { audio: { ...device, ...processing, channelCount: 1 } };
  return { video: { ...device, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 20, max: 24 } } };
}

/** Open one device; a remembered device that is gone falls back to the default one. */
export async function openTrack(kind: DeviceKind, deviceId: string, processing: Processing): Promise<MediaStreamTrack> {
  const open = async (id: string) => {
    const stream = await navigator.mediaDevices.getUserMedia(constraintsFor(kind, id, processing));
    const track = stream.getTracks()[0];
    if (!track) throw new DOMException("no track", "NotFoundError");
    return track;
  };
  try {
    return await open(deviceId);
  } catch (error) {
    if (deviceId && ["gone", "none"].includes(problemOf(error))) return open("");
    throw error;
  }
}
