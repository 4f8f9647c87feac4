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

export interface Choice {
  camera: string;
  microphone: string;
  speaker: string;
}

const KEY = "court.devices";

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

function constraintsFor(kind: DeviceKind, deviceId: string): MediaStreamConstraints {
  const device = deviceId ? { deviceId: { exact: deviceId } } : {};
  if (kind === "audio") return { audio: { ...device, echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 } };
  return { video: { ...device, width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 20, max: 24 } } };
}

/** Open one device; a remembered device that is gone falls back to the default one. */
export async function openTrack(kind: DeviceKind, deviceId: string): Promise<MediaStreamTrack> {
  const open = async (id: string) => {
    const stream = await navigator.mediaDevices.getUserMedia(constraintsFor(kind, id));
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
