/** One of the two peer connections of a seat: "up" sends to the server, "down" receives from it. The server always offers. */
import type { OfferView } from "@/protocol";

import { offeredTracks } from "./offers";

const GATHER_AT_MOST_MS = 500; // the server learns our address from our own checks (peer-reflexive); waiting longer gains nothing
const VIDEO_BPS = 600_000;

export interface Received {
  participantId: string;
  kind: "audio" | "video";
  track: MediaStreamTrack;
}

export class Leg {
  readonly connection: "up" | "down";
  readonly pc: RTCPeerConnection;
  private turn: Promise<unknown> = Promise.resolve();
  private revision = -1;
  private sending: Record<"audio" | "video", MediaStreamTrack | null> = { audio: null, video: null };

  constructor(connection: "up" | "down", configuration: RTCConfiguration, onState: (state: RTCPeerConnectionState) => void) {
    this.connection = connection;
    this.pc = new RTCPeerConnection(configuration);
    this.pc.addEventListener("connectionstatechange", () => onState(this.pc.connectionState));
  }

  /** Answer offers one after another; null for an offer older than one already answered. */
  answer(offer: OfferView): Promise<{ sdp: string; received: Received[] } | null> {
    const next = this.turn.then(() => this.answerNow(offer));
    this.turn = next.catch(() => undefined);
    return next;
  }

  /** What this seat sends; also used when the device changes while connected. */
  async send(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<void> {
    this.sending[kind] = track;
    await this.sender(kind)?.replaceTrack(track);
  }

  close(): void {
    this.pc.close();
  }

  private async answerNow(offer: OfferView): Promise<{ sdp: string; received: Received[] } | null> {
    if (offer.revision <= this.revision || this.pc.signalingState === "closed") return null;
    await this.pc.setRemoteDescription({ type: "offer", sdp: offer.sdp });
    if (this.connection === "up") await this.fillSenders();
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    await this.gathered();
    this.revision = offer.revision;
    return { sdp: this.pc.localDescription?.sdp ?? "", received: this.received(offer.sdp) };
  }

  private async fillSenders(): Promise<void> {
    for (const kind of ["audio", "video"] as const) {
      const transceiver = this.pc.getTransceivers().find((t) => t.receiver.track.kind === kind);
      if (!transceiver || transceiver.direction === "stopped") continue;
      transceiver.direction = "sendonly"; // an empty sender stays ready, so that a camera switched on later needs no new offer
      await transceiver.sender.replaceTrack(this.sending[kind]);
      if (kind === "video") await this.limit(transceiver.sender);
    }
  }

  private async limit(sender: RTCRtpSender): Promise<void> {
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings) encoding.maxBitrate = VIDEO_BPS;
    try {
      await sender.setParameters(parameters);
    } catch {
      // a browser without it sends at its own rate; the server's REMB still bounds that
    }
  }

  private sender(kind: "audio" | "video"): RTCRtpSender | undefined {
    if (this.connection !== "up") return undefined;
    return this.pc.getTransceivers().find((t) => t.receiver.track.kind === kind)?.sender;
  }

  private received(sdp: string): Received[] {
    if (this.connection !== "down") return [];
    const transceivers = this.pc.getTransceivers();
    return offeredTracks(sdp).flatMap(({ mid, kind, participantId }) => {
      const track = transceivers.find((t) => t.mid === mid)?.receiver.track;
      return track ? [{ participantId, kind, track }] : [];
    });
  }

  private gathered(): Promise<void> {
    if (this.pc.iceGatheringState === "complete") return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, GATHER_AT_MOST_MS);
      this.pc.addEventListener("icegatheringstatechange", () => {
        if (this.pc.iceGatheringState !== "complete") return;
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
