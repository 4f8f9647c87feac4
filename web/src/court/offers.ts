/** What a server's offer says about its m-lines (JSEP, RFC 9429: mid, msid, direction); pure reading, no changing. */

/** A voice, a face, a shared screen. */
export type MediaKind = "audio" | "video" | "screen";

export interface OfferedTrack {
  mid: string;
  kind: MediaKind;
  /** MediaStream id of the m-line: the participant whose picture or voice this is. */
  participantId: string;
}

/** An m-line on which the server wants to receive; which is which is told by the order: voice, camera, screen. */
export interface WantedLine {
  mid: string;
  kind: MediaKind;
}

interface Section {
  media: "audio" | "video";
  mid: string;
  text: string;
}

/** The m-lines in use: neither rejected (port 0) nor without a name. */
function sections(sdp: string): Section[] {
  return sdp.split(/^m=/m).slice(1).flatMap((text) => {
    const head = /^(audio|video) (\d+)/.exec(text);
    const mid = /^a=mid:(\S+)/m.exec(text)?.[1];
    return head && head[2] !== "0" && mid ? [{ media: head[1] as "audio" | "video", mid, text }] : [];
  });
}

/** The m-lines on which this browser receives now, from a server's offer. */
export function offeredTracks(sdp: string): OfferedTrack[] {
  return sections(sdp).flatMap(({ media, mid, text }) => {
    const msid = /^a=msid:(\S+)(?: (\S+))?/m.exec(text) ?? /^a=ssrc:\d+ msid:(\S+)(?: (\S+))?/m.exec(text);
    if (!msid?.[1] || !/^a=(sendonly|sendrecv)\s*$/m.test(text)) return [];
    const kind = media === "video" && msid[2]?.endsWith("-screen") ? "screen" : media;
    return [{ mid, kind, participantId: msid[1] }];
  });
}

/** The m-lines on which the server wants to receive from this browser. */
export function wantedLines(sdp: string): WantedLine[] {
  let pictures = 0;
  return sections(sdp).flatMap(({ media, mid, text }) => {
    const kind = media === "audio" ? media : (["video", "screen"] as const)[pictures++];
    return kind && /^a=(recvonly|sendrecv)\s*$/m.test(text) ? [{ mid, kind }] : [];
  });
}
