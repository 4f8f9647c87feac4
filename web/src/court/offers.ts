/** What a server's offer says about its m-lines (JSEP, RFC 9429: mid, msid, direction); pure reading, no changing. */

export interface OfferedTrack {
  mid: string;
  kind: "audio" | "video";
  /** MediaStream id of the m-line: the participant whose picture or voice this is. */
  participantId: string;
}

/** The m-lines on which this browser receives now, from a server's offer. */
export function offeredTracks(sdp: string): OfferedTrack[] {
  const tracks: OfferedTrack[] = [];
  for (const section of sdp.split(/^m=/m).slice(1)) {
    const kind = /^(audio|video) (\d+)/.exec(section);
    const mid = /^a=mid:(\S+)/m.exec(section)?.[1];
    const participantId = /^a=msid:(\S+)/m.exec(section)?.[1] ?? /^a=ssrc:\d+ msid:(\S+)/m.exec(section)?.[1];
    const sends = /^a=(sendonly|sendrecv)\s*$/m.test(section);
    if (!kind || kind[2] === "0" || !mid || !participantId || !sends) continue;
    tracks.push({ mid, kind: kind[1] as "audio" | "video", participantId });
  }
  return tracks;
}
