/** One of the two peer connections of a seat: "up" sends to the server, "down" receives from it. The server always offers. */
import type { OfferView } from "@/protocol";

import { hint, shapeSender } from "./encodings";
import { type MediaKind, offeredTracks, wantedLines } from "./offers";

const GATHER_AT_MOST_MS = 500; // the server learns our address from our own checks (peer-reflexive); waiting longer gains nothing

export interface Received {
  participantId: string;
  kind: MediaKind;
  track: MediaStreamTrack;
}

export class Leg {
  readonly connection: "up" | "down";
  readonly pc: RTCPeerConnection;
  private turn: Promise<unknown> = Promise.resolve();
  private revision = -1;
  private readonly sending: Record<MediaKind, MediaStreamTrack | null> = { audio: null, video: null, screen: null };
  private readonly senders = new Map<MediaKind, RTCRtpSender>();

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
  async send(kind: MediaKind, track: MediaStreamTrack | null): Promise<void> {
    if (track) hint(kind, track);
    this.sending[kind] = track;
    const sender = this.senders.get(kind);
    await sender?.replaceTrack(track);
    if (sender && track) await shapeSender(kind, sender); // another camera may have another size
  }

  /**
   * A count that grows while anything comes from the other end: media, reports, or checks of the path. Null: unknown yet.
   * Asked of one sender or receiver, because the report on a whole connection of twelve people costs milliseconds.
   */
  async heard(): Promise<number | null> {
    const line = this.connection === "up" ? this.pc.getSenders()[0] : this.pc.getReceivers()[0];
    const report = await line?.getStats();
    let count: number | null = null;
    report?.forEach((s: Record<string, unknown>) => {
      if (s.type !== "candidate-pair") return;
      for (const part of [s.bytesReceived, s.requestsReceived, s.responsesReceived]) if (typeof part === "number") count = (count ?? 0) + part;
    });
    return count;
  }

  close(): void {
    this.pc.close();
  }

  private async answerNow(offer: OfferView): Promise<{ sdp: string; received: Received[] } | null> {
    if (offer.revision <= this.revision || this.pc.signalingState === "closed") return null;
    await this.pc.setRemoteDescription({ type: "offer", sdp: offer.sdp });
    if (this.connection === "up") await this.fillSenders(offer.sdp);
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    for (const [kind, sender] of this.senders) await shapeSender(kind, sender); // before the answer there are no encodings
    await this.gathered();
    this.revision = offer.revision;
    return { sdp: this.pc.localDescription?.sdp ?? "", received: this.received(offer.sdp) };
  }

  private async fillSenders(sdp: string): Promise<void> {
    for (const { mid, kind } of wantedLines(sdp)) {
      const transceiver = this.pc.getTransceivers().find((t) => t.mid === mid);
      if (!transceiver || transceiver.direction === "stopped") continue;
      transceiver.direction = "sendonly"; // an empty sender stays ready, so that a camera switched on later needs no new offer
      this.senders.set(kind, transceiver.sender);
      await transceiver.sender.replaceTrack(this.sending[kind]);
    }
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
