"""Session descriptions (RFC 8866, JSEP RFC 9429): the server's offers, the clients' answers, for both ends.

The server always offers, so payload types and header-extension ids are ours. One audio codec (Opus) and one video codec
(VP8) are offered. An m-line never disappears: it becomes inactive and is used again for another source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from hearing.audience import Kind
from media.control import MediaError

OPUS_PT = 111
VP8_PT = 96
PAYLOAD_TYPES = {Kind.AUDIO: OPUS_PT, Kind.VIDEO: VP8_PT}
CLOCK_RATES_HZ = {Kind.AUDIO: 48_000, Kind.VIDEO: 90_000}

MID_EXTENSION = 1
LEVEL_EXTENSION = 2
SEND_TIME_EXTENSION = 3

MAX_SDP_CHARS = 200_000

_CODECS = {
    Kind.AUDIO: (
        f"a=rtpmap:{OPUS_PT} opus/48000/2",
        f"a=fmtp:{OPUS_PT} minptime=10;useinbandfec=1",
        f"a=rtcp-fb:{OPUS_PT} nack",  # lost audio is lost testimony: repair it, do not only conceal it
    ),
    Kind.VIDEO: (
        f"a=rtpmap:{VP8_PT} VP8/90000",
        f"a=rtcp-fb:{VP8_PT} nack",
        f"a=rtcp-fb:{VP8_PT} nack pli",
        f"a=rtcp-fb:{VP8_PT} ccm fir",
        f"a=rtcp-fb:{VP8_PT} goog-remb",
    ),
}
_EXTENSIONS = {
    Kind.AUDIO: (
        f"a=extmap:{MID_EXTENSION} urn:ietf:params:rtp-hdrext:sdes:mid",
        f"a=extmap:{LEVEL_EXTENSION} urn:ietf:params:rtp-hdrext:ssrc-audio-level",  # RFC 6464
        f"a=extmap:{SEND_TIME_EXTENSION} http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    ),
    Kind.VIDEO: (
        f"a=extmap:{MID_EXTENSION} urn:ietf:params:rtp-hdrext:sdes:mid",
        f"a=extmap:{SEND_TIME_EXTENSION} http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    ),
}


class Direction(StrEnum):
    """Direction of an m-line, seen from the side that wrote it."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self in {Direction.SENDRECV, Direction.SENDONLY}

    @property
    def receives(self) -> bool:
        return self in {Direction.SENDRECV, Direction.RECVONLY}


@dataclass(frozen=True, slots=True)
class TransportSide:
    """What one side tells the other about its bundled transport.

    `fingerprint` is "sha-256 AB:CD:…"; `candidates` are candidate attributes without "candidate:"; `setup` is the DTLS
    role of RFC 8842: actpass in an offer, active or passive in an answer.
    """

    ufrag: str
    pwd: str
    fingerprint: str
    candidates: tuple[str, ...] = ()
    setup: str = "actpass"


@dataclass(frozen=True, slots=True)
class MediaLine:
    """One m-line. `ssrc`, `stream_id`, `track_id` name what its writer sends on it (stream_id: the participant)."""

    mid: str
    kind: Kind
    direction: Direction
    ssrc: int | None = None
    stream_id: str = ""
    track_id: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """A whole offer or answer."""

    side: TransportSide
    lines: tuple[MediaLine, ...]


def write(session_id: int, version: int, description: Description) -> str:
    """SDP text; `version` must grow with each description of the same session (RFC 8866 5.2)."""
    mids = " ".join(line.mid for line in description.lines)
    out = ["v=0", f"o=- {session_id} {version} IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
    out.append("a=msid-semantic: WMS *")
    for line in description.lines:
        out += _media_section(line, description.side)
    return "\r\n".join(out) + "\r\n"


def _media_section(line: MediaLine, side: TransportSide) -> Iterator[str]:
    yield f"m={line.kind} 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPES[line.kind]}"
    yield "c=IN IP4 0.0.0.0"
    yield "a=rtcp:9 IN IP4 0.0.0.0"
    yield f"a=mid:{line.mid}"
    yield f"a={line.direction}"
    yield "a=rtcp-mux"
    yield "a=rtcp-rsize"
    yield f"a=ice-ufrag:{side.ufrag}"
    yield f"a=ice-pwd:{side.pwd}"
    yield f"a=fingerprint:{side.fingerprint}"
    yield f"a=setup:{side.setup}"
    yield from _CODECS[line.kind]
    yield from _EXTENSIONS[line.kind]
    if line.direction.sends and line.ssrc is not None:
        yield f"a=msid:{line.stream_id} {line.track_id}"
        yield f"a=ssrc:{line.ssrc} cname:{line.stream_id}"
        yield f"a=ssrc:{line.ssrc} msid:{line.stream_id} {line.track_id}"
    for candidate in side.candidates:
        yield f"a=candidate:{candidate}"
    yield "a=end-of-candidates"


def answer_to(
    offer: Description, side: TransportSide, sending: Mapping[Kind, int], stream_id: str = "-", setup: str = "active"
) -> Description:
    """The answer of a client that receives all it is offered and sends `sending` (SSRC by kind) where it is asked to."""
    lines = []
    for line in offer.lines:
        ssrc = sending.get(line.kind) if line.direction.receives else None
        receives = line.direction.sends
        lines.append(
            MediaLine(line.mid, line.kind, _direction(ssrc is not None, receives), ssrc, stream_id, f"{stream_id}-{line.kind}")
        )
    return Description(replace(side, setup=setup), tuple(lines))


def _direction(sends: bool, receives: bool) -> Direction:
    if sends:
        return Direction.SENDRECV if receives else Direction.SENDONLY
    return Direction.RECVONLY if receives else Direction.INACTIVE


def parse(sdp: str) -> Description:
    """Read a description; raises MediaError sdp_malformed (with the reason) or sdp_codec_refused."""
    if len(sdp) > MAX_SDP_CHARS or not sdp.startswith("v=0"):
        raise MediaError("sdp_malformed", "SDP 不是以 v=0 开头，或过长")
    head, *sections = re.split(r"(?m)^(?=m=)", sdp.replace("\r", ""))
    if not sections:
        raise MediaError("sdp_malformed", "SDP 没有 m= 行")
    side = _transport_side(head, sections)
    return Description(side, tuple(_media_line(section) for section in sections))


def parse_answer(sdp: str, offer: Sequence[MediaLine]) -> Description:
    """Read the answer to `offer`: the same m-lines in the same order, a definite DTLS role."""
    answer = parse(sdp)
    if [(line.mid, line.kind) for line in answer.lines] != [(line.mid, line.kind) for line in offer]:
        raise MediaError("sdp_malformed", "应答的 m= 行与提议不一致")
    if answer.side.setup not in {"active", "passive"}:
        raise MediaError("sdp_malformed", "应答的 a=setup 必须是 active 或 passive")
    return answer


def _transport_side(head: str, sections: Sequence[str]) -> TransportSide:
    """Transport attributes of the first bundled m-line that has them (RFC 9143), else of the session."""
    texts = [*(s for s in sections if not _is_rejected(s)), head]
    ufrag = _first(r"^a=ice-ufrag:([A-Za-z0-9+/]{4,256})$", texts)
    pwd = _first(r"^a=ice-pwd:([A-Za-z0-9+/]{22,256})$", texts)
    fingerprint = _first(r"^a=fingerprint:((?:sha-256|sha-384|sha-512) [0-9A-Fa-f:]{95,})$", texts)
    setup = _first(r"^a=setup:(actpass|active|passive)$", texts)
    for value, name in ((ufrag, "ice-ufrag"), (pwd, "ice-pwd"), (fingerprint, "fingerprint"), (setup, "setup")):
        if not value:
            raise MediaError("sdp_malformed", f"SDP 缺少 a={name} 或其值不合规")
    candidates = tuple(dict.fromkeys(re.findall(r"^a=candidate:(.+)$", "\n".join(sections), re.MULTILINE)))
    return TransportSide(ufrag, pwd, fingerprint, candidates, setup)


def _media_line(section: str) -> MediaLine:
    match = re.match(r"m=(audio|video) (\d+) UDP/TLS/RTP/SAVPF((?: \d+)+)$", section.split("\n", 1)[0])
    mid = _first(r"^a=mid:(\S{1,32})$", [section])
    if match is None or not mid:
        raise MediaError("sdp_malformed", "m= 行只能是 audio 或 video，且必须带 a=mid")
    kind = Kind(match[1])
    direction = Direction(_first(r"^a=(sendrecv|sendonly|recvonly|inactive)$", [section]) or "sendrecv")
    if _is_rejected(section):
        return MediaLine(mid, kind, Direction.INACTIVE)
    if direction is not Direction.INACTIVE and str(PAYLOAD_TYPES[kind]) not in match[3].split():
        raise MediaError("sdp_codec_refused", f"对端不接受 {kind} 的编码（Opus/VP8）")
    ssrc = _first(r"^a=ssrc:(\d{1,10}) ", [section])
    stream = re.search(r"^a=msid:(\S+)(?: (\S+))?$", section, re.MULTILINE)
    stream_id, track_id = (stream[1], stream[2] or "") if stream else ("", "")
    return MediaLine(mid, kind, direction, int(ssrc) & 0xFFFFFFFF if ssrc else None, stream_id, track_id)


def _is_rejected(section: str) -> bool:
    """Port 0 without bundle-only: the other side refused the m-line (RFC 8843 6)."""
    return bool(re.match(r"m=\w+ 0 ", section)) and "a=bundle-only" not in section


def _first(pattern: str, texts: Sequence[str]) -> str:
    for text in texts:
        match = re.search(pattern, text, re.MULTILINE)
        if match:
            return match[1]
    return ""
