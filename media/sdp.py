"""Session descriptions (RFC 8866, JSEP RFC 9429): the server's offers, the clients' answers, for both ends.

The server always offers, so payload types and header-extension ids are ours. One audio codec (Opus) and one video codec
(VP8, with retransmission by RFC 4588) are offered. An m-line never disappears: it becomes inactive and is used again for
another source. A shared screen is an m-line of video with a=content:slides (RFC 4796); answers need not repeat that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hearing.audience import Kind
from media.control import MediaError

OPUS_PT = 111
VP8_PT = 96
RTX_PT = 97  # retransmissions of VP8_PT
PAYLOAD_TYPES = {Kind.AUDIO: OPUS_PT, Kind.VIDEO: VP8_PT, Kind.SCREEN: VP8_PT}
CLOCK_RATES_HZ = {Kind.AUDIO: 48_000, Kind.VIDEO: 90_000, Kind.SCREEN: 90_000}

MID_EXTENSION = 1
LEVEL_EXTENSION = 2
SEND_TIME_EXTENSION = 3
TRANSPORT_SEQUENCE_EXTENSION = 4
RID_EXTENSION = 5
REPAIRED_RID_EXTENSION = 6

RIDS = ("l", "m", "h")
"""Layers of a camera from small to large: in this order browsers scale the picture down by 4, 2 and 1."""

MAX_SDP_CHARS = 200_000

_VP8 = (
    f"a=rtpmap:{VP8_PT} VP8/90000",
    f"a=rtcp-fb:{VP8_PT} nack",
    f"a=rtcp-fb:{VP8_PT} nack pli",
    f"a=rtcp-fb:{VP8_PT} ccm fir",
    f"a=rtcp-fb:{VP8_PT} goog-remb",
)
_RTX = (f"a=rtpmap:{RTX_PT} rtx/90000", f"a=fmtp:{RTX_PT} apt={VP8_PT}")
_CODECS = {
    Kind.AUDIO: (
        f"a=rtpmap:{OPUS_PT} opus/48000/2",
        f"a=fmtp:{OPUS_PT} minptime=10;useinbandfec=1",
        f"a=rtcp-fb:{OPUS_PT} nack",  # lost audio is lost testimony: repair it, do not only conceal it
    ),
    Kind.VIDEO: _VP8,
    Kind.SCREEN: _VP8,
}
_MID = f"a=extmap:{MID_EXTENSION} urn:ietf:params:rtp-hdrext:sdes:mid"
_LEVEL = f"a=extmap:{LEVEL_EXTENSION} urn:ietf:params:rtp-hdrext:ssrc-audio-level"  # RFC 6464
_SEND_TIME = f"a=extmap:{SEND_TIME_EXTENSION} http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_TRANSPORT_SEQUENCE = (
    f"a=extmap:{TRANSPORT_SEQUENCE_EXTENSION} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)
_STREAM_IDS = (  # RFC 8852
    f"a=extmap:{RID_EXTENSION} urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    f"a=extmap:{REPAIRED_RID_EXTENSION} urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
)


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
    """One m-line. `ssrc`, `stream_id`, `track_id` name what its writer sends on it (stream_id: the participant).

    `rtx`: its writer understands retransmissions (RFC 4588); what it retransmits itself has the SSRC `rtx_ssrc`.
    `transport_cc`: packets are numbered across the transport and their arrivals reported (TWCC). `rids`: the layers that a
    camera's line receives (an offer) or sends (an answer), RFC 8853; such a line names no SSRC. `max_bps`: what the other
    side may send at most (RFC 3890).
    """

    mid: str
    kind: Kind
    direction: Direction
    ssrc: int | None = None
    stream_id: str = ""
    track_id: str = ""
    rtx: bool = False
    rtx_ssrc: int | None = None
    transport_cc: bool = False
    rids: tuple[str, ...] = ()
    max_bps: int | None = None


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


def up_lines(max_video_bps: int) -> list[MediaLine]:
    """What a client is asked to send: sound, its camera in layers, its screen in one layer."""
    return [
        MediaLine("0", Kind.AUDIO, Direction.RECVONLY, transport_cc=True),
        MediaLine("1", Kind.VIDEO, Direction.RECVONLY, transport_cc=True, rtx=True, rids=RIDS, max_bps=max_video_bps),
        MediaLine("2", Kind.SCREEN, Direction.RECVONLY, transport_cc=True, rtx=True, max_bps=max_video_bps),
    ]


def _media_section(line: MediaLine, side: TransportSide) -> Iterator[str]:
    rtx = line.rtx or line.rtx_ssrc is not None
    media = "audio" if line.kind is Kind.AUDIO else "video"
    yield f"m={media} 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPES[line.kind]}" + (f" {RTX_PT}" if rtx else "")
    yield "c=IN IP4 0.0.0.0"
    if line.max_bps is not None:
        yield f"b=TIAS:{line.max_bps}"
    yield "a=rtcp:9 IN IP4 0.0.0.0"
    yield f"a=mid:{line.mid}"
    yield f"a={line.direction}"
    if line.kind is Kind.SCREEN:
        yield "a=content:slides"
    yield "a=rtcp-mux"
    yield "a=rtcp-rsize"
    yield f"a=ice-ufrag:{side.ufrag}"
    yield f"a=ice-pwd:{side.pwd}"
    yield f"a=fingerprint:{side.fingerprint}"
    yield f"a=setup:{side.setup}"
    yield from _CODECS[line.kind]
    yield from _RTX if rtx else ()
    yield from _extensions(line)
    yield from _layers(line)
    yield from _sources(line)
    for candidate in side.candidates:
        yield f"a=candidate:{candidate}"
    yield "a=end-of-candidates"


def _extensions(line: MediaLine) -> Iterator[str]:
    yield _MID
    if line.kind is Kind.AUDIO:
        yield _LEVEL
    yield _SEND_TIME
    if line.transport_cc:
        yield f"a=rtcp-fb:{PAYLOAD_TYPES[line.kind]} transport-cc"
        yield _TRANSPORT_SEQUENCE
    if line.rids:
        yield from _STREAM_IDS


def _layers(line: MediaLine) -> Iterator[str]:
    """Simulcast, seen from the line's writer (RFC 8853 5.2)."""
    if line.rids:
        way = "send" if line.direction.sends else "recv"
        yield from (f"a=rid:{rid} {way}" for rid in line.rids)
        yield f"a=simulcast:{way} {';'.join(line.rids)}"


def _sources(line: MediaLine) -> Iterator[str]:
    """What is sent on the line: source attributes (RFC 5576) of the stream and of its retransmissions."""
    if not line.direction.sends or (line.ssrc is None and not line.rids):
        return
    yield f"a=msid:{line.stream_id} {line.track_id}"
    if line.ssrc is None:
        return
    if line.rtx_ssrc is not None:
        yield f"a=ssrc-group:FID {line.ssrc} {line.rtx_ssrc}"
    for ssrc in (line.ssrc, line.rtx_ssrc):
        if ssrc is not None:
            yield f"a=ssrc:{ssrc} cname:{line.stream_id}"
            yield f"a=ssrc:{ssrc} msid:{line.stream_id} {line.track_id}"


@dataclass(frozen=True, slots=True)
class Sending:
    """What a client sends: SSRCs by kind, those of their retransmissions, and whether its camera comes in layers.

    `rtx` and `transport_cc` say whether it understands retransmissions (both ways) and numbers its packets for TWCC.
    """

    ssrcs: Mapping[Kind, int] = field(default_factory=dict)
    rtx_ssrcs: Mapping[Kind, int] = field(default_factory=dict)
    rids: tuple[str, ...] = ()
    rtx: bool = False
    transport_cc: bool = False


def answer_to(
    offer: Description,
    side: TransportSide,
    sending: Mapping[Kind, int] | Sending,
    stream_id: str = "-",
    setup: str = "active",
) -> Description:
    """The answer of a client that receives all it is offered and sends `sending` (SSRC by kind) where it is asked to."""
    what = sending if isinstance(sending, Sending) else Sending(sending)
    lines = tuple(_answer_line(line, what, stream_id) for line in offer.lines)
    return Description(replace(side, setup=setup), lines)


def _answer_line(line: MediaLine, what: Sending, stream_id: str) -> MediaLine:
    rids = tuple(rid for rid in line.rids if rid in what.rids) if line.kind is Kind.VIDEO else ()
    ssrc = what.ssrcs.get(line.kind)
    sends = line.direction.receives and (ssrc is not None or bool(rids))
    return MediaLine(
        mid=line.mid,
        kind=line.kind,
        direction=_direction(sends, line.direction.sends),
        ssrc=ssrc if sends and not rids else None,
        stream_id=stream_id,
        track_id=f"{stream_id}-{line.kind}",
        rtx=line.rtx and what.rtx,
        rtx_ssrc=what.rtx_ssrcs.get(line.kind) if sends and line.rtx and not rids else None,
        transport_cc=line.transport_cc and what.transport_cc,
        rids=rids if sends else (),
    )


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
    """Read the answer to `offer`: the same m-lines in the same order, a definite DTLS role. Nothing not offered is taken."""
    answer = parse(sdp)
    if [(line.mid, _media(line.kind)) for line in answer.lines] != [(line.mid, _media(line.kind)) for line in offer]:
        raise MediaError("sdp_malformed", "应答的 m= 行与提议不一致")
    if answer.side.setup not in {"active", "passive"}:
        raise MediaError("sdp_malformed", "应答的 a=setup 必须是 active 或 passive")
    return Description(answer.side, tuple(map(_agreed, answer.lines, offer)))


def _agreed(line: MediaLine, offered: MediaLine) -> MediaLine:
    """An answered line within the offered one, which alone knows a screen from a camera."""
    return replace(
        line,
        kind=offered.kind,
        rtx=line.rtx and offered.rtx,
        rtx_ssrc=line.rtx_ssrc if offered.rtx else None,
        transport_cc=line.transport_cc and offered.transport_cc,
        rids=tuple(rid for rid in offered.rids if rid in line.rids),
    )


def _media(kind: Kind) -> Kind:
    return Kind.VIDEO if kind is Kind.SCREEN else kind


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
    kind = Kind.SCREEN if match[1] == "video" and "\na=content:slides\n" in section else Kind(match[1])
    if _is_rejected(section):
        return MediaLine(mid, kind, Direction.INACTIVE)
    direction = Direction(_first(r"^a=(sendrecv|sendonly|recvonly|inactive)$", [section]) or "sendrecv")
    payload_types = match[3].split()
    if direction is not Direction.INACTIVE and str(PAYLOAD_TYPES[kind]) not in payload_types:
        raise MediaError("sdp_codec_refused", f"对端不接受 {kind} 的编码（Opus/VP8）")
    ssrc, rtx_ssrc = _ssrcs(section)
    stream = re.search(r"^a=msid:(\S+)(?: (\S+))?$", section, re.MULTILINE)
    max_bps = _first(r"^b=TIAS:(\d{1,10})$", [section])
    return MediaLine(
        mid=mid,
        kind=kind,
        direction=direction,
        ssrc=ssrc,
        stream_id=stream[1] if stream else "",
        track_id=(stream[2] or "") if stream else "",
        rtx=kind is not Kind.AUDIO and str(RTX_PT) in payload_types,
        rtx_ssrc=rtx_ssrc,
        transport_cc=bool(_first(r"^a=rtcp-fb:(?:\*|\d+) (transport-cc)$", [section])) and _TRANSPORT_SEQUENCE in section,
        rids=_rids(section),
        max_bps=int(max_bps) if max_bps else None,
    )


def _ssrcs(section: str) -> tuple[int | None, int | None]:
    """The first stream and its retransmissions (RFC 4588 8.8)."""
    first = _first(r"^a=ssrc:(\d{1,10}) ", [section])
    pair = re.search(r"^a=ssrc-group:FID (\d{1,10}) (\d{1,10})$", section, re.MULTILINE)
    if pair:
        return int(pair[1]) & 0xFFFFFFFF, int(pair[2]) & 0xFFFFFFFF
    return (int(first) & 0xFFFFFFFF if first else None), None


def _rids(section: str) -> tuple[str, ...]:
    """The first alternative of each simulcast layer, paused or not; a name that no a=rid explains is no layer."""
    listed = _first(r"^a=simulcast:(?:send|recv) ([\w,;~-]{1,200})", [section])
    names = [layer.split(",")[0].lstrip("~") for layer in listed.split(";")] if listed else []
    known = set(re.findall(r"^a=rid:([\w-]{1,16}) (?:send|recv)", section, re.MULTILINE))
    return tuple(name for name in dict.fromkeys(names) if name in known)


def _is_rejected(section: str) -> bool:
    """Port 0 without bundle-only: the other side refused the m-line (RFC 8843 6)."""
    return bool(re.match(r"m=\w+ 0 ", section)) and "a=bundle-only" not in section


def _first(pattern: str, texts: Sequence[str]) -> str:
    for text in texts:
        match = re.search(pattern, text, re.MULTILINE)
        if match:
            return match[1]
    return ""
