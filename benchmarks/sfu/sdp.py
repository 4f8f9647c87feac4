"""Session descriptions as a browser writes them, for whichever server: read its offer or answer, write ours.

Own code rather than media/sdp.py, so that the same client meets both servers and numbers of payload types and extensions
are taken from the server's description instead of being known beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from media.sdp import TransportSide

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_SEQUENCE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

CODECS = {"audio": ("opus", "opus/48000/2"), "video": ("vp8", "VP8/90000")}
CLOCK_RATES_HZ = {"audio": 48_000, "video": 90_000}
EXTENSIONS = {"audio": (MID, AUDIO_LEVEL, SEND_TIME, TRANSPORT_SEQUENCE), "video": (MID, SEND_TIME, TRANSPORT_SEQUENCE)}
FEEDBACK = {
    "audio": ("nack", "transport-cc"),
    "video": ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One m-line. `ssrc`, `stream` and `track` name what its writer sends on it.

    `rtx_payload_type`, `rtx_ssrc`: of the stream that carries retransmissions (RFC 4588).
    """

    mid: str
    kind: str  # audio | video
    direction: str
    payload_type: int
    feedback: tuple[str, ...] = ()
    extensions: Mapping[str, int] = field(default_factory=dict)  # id by URI
    ssrc: int | None = None
    stream: str = "-"
    track: str = "-"
    rtx_payload_type: int | None = None
    rtx_ssrc: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A whole description."""

    side: TransportSide
    lines: tuple[Line, ...]


def offered_lines(ssrcs: Mapping[str, int], stream: str) -> tuple[Line, ...]:
    """The m-lines of a client that offers to send one stream of each kind."""
    return tuple(
        Line(
            mid=str(n), kind=kind, direction="sendonly", payload_type=111 if kind == "audio" else 96, feedback=FEEDBACK[kind],
            extensions={uri: EXTENSIONS["audio"].index(uri) + 1 for uri in EXTENSIONS[kind]},
            ssrc=ssrc, stream=stream, track=f"{stream}-{kind}",
        )
        for n, (kind, ssrc) in enumerate(ssrcs.items())
    )  # fmt: skip


def answered_lines(offer: Session, ssrcs: Mapping[str, int], stream: str, *, rtx: bool = True) -> tuple[Line, ...]:
    """Receive everything offered, with RTX or without; send each kind of `ssrcs` on the first m-line that asks for it."""
    left = dict(ssrcs)
    return tuple(_answered(line, left, stream, rtx=rtx) for line in offer.lines)


def _answered(line: Line, left: dict[str, int], stream: str, *, rtx: bool) -> Line:
    ssrc = left.pop(line.kind, None) if line.direction == "recvonly" else None
    direction = "sendonly" if ssrc is not None else "recvonly" if line.direction in {"sendonly", "sendrecv"} else "inactive"
    return replace(
        line, direction=direction, ssrc=ssrc, stream=stream, track=f"{stream}-{line.kind}", rtx_ssrc=None,
        rtx_payload_type=line.rtx_payload_type if rtx and direction == "recvonly" else None,
        feedback=tuple(name for name in FEEDBACK[line.kind] if name in line.feedback),
        extensions={uri: number for uri, number in line.extensions.items() if uri in EXTENSIONS[line.kind]},
    )  # fmt: skip


def write(session_id: int, version: int, side: TransportSide, lines: Sequence[Line]) -> str:
    """SDP text of one bundled session."""
    mids = " ".join(line.mid for line in lines)
    out = ["v=0", f"o=- {session_id} {version} IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
    out.append("a=msid-semantic: WMS *")
    for line in lines:
        out += _section(line, side)
    return "\r\n".join(out) + "\r\n"


def _section(line: Line, side: TransportSide) -> Iterator[str]:
    rtx = line.rtx_payload_type
    yield f"m={line.kind} 9 UDP/TLS/RTP/SAVPF {line.payload_type}" + (f" {rtx}" if rtx else "")
    yield from ("c=IN IP4 0.0.0.0", f"a=mid:{line.mid}", f"a={line.direction}", "a=rtcp-mux", "a=rtcp-rsize")
    yield from (f"a=ice-ufrag:{side.ufrag}", f"a=ice-pwd:{side.pwd}", f"a=fingerprint:{side.fingerprint}")
    yield f"a=setup:{side.setup}"
    yield f"a=rtpmap:{line.payload_type} {CODECS[line.kind][1]}"
    if rtx:
        yield from (f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={line.payload_type}")
    yield from (f"a=rtcp-fb:{line.payload_type} {name}" for name in line.feedback)
    yield from (f"a=extmap:{number} {uri}" for uri, number in line.extensions.items())
    if line.ssrc is not None:
        yield f"a=msid:{line.stream} {line.track}"
        yield f"a=ssrc:{line.ssrc} cname:{line.stream}"
    yield from (f"a=candidate:{candidate}" for candidate in side.candidates)
    yield "a=end-of-candidates"


def parse(text: str) -> Session:
    """Read a server's description. Raises ValueError when it lacks what every WebRTC description has."""
    head, *sections = re.split(r"(?m)^(?=m=)", text.replace("\r", ""))
    whole = "".join(sections) + head
    side = TransportSide(
        ufrag=_needed(r"^a=ice-ufrag:(\S+)$", whole),
        pwd=_needed(r"^a=ice-pwd:(\S+)$", whole),
        fingerprint=_needed(r"^a=fingerprint:(\S+ \S+)$", whole),
        candidates=tuple(dict.fromkeys(re.findall(r"(?m)^a=candidate:(.+)$", whole))),
        setup=_needed(r"^a=setup:(\w+)$", whole),
    )
    return Session(side, tuple(_line(section) for section in sections))


def _line(section: str) -> Line:
    kind = _needed(r"^m=(audio|video) ", section)
    codec = re.search(rf"(?mi)^a=rtpmap:(\d+) {CODECS[kind][0]}/", section)
    payload_type = int(codec[1]) if codec else int(_needed(r"^m=\w+ \d+ \S+ (\d+)", section))
    rtx = re.search(rf"(?m)^a=fmtp:(\d+) apt={payload_type}\b", section)
    group = re.search(r"(?m)^a=ssrc-group:FID (\d+) (\d+)$", section)
    stream = re.search(r"(?m)^a=msid:(\S+)(?: (\S+))?$", section)
    ssrc = re.search(r"(?m)^a=ssrc:(\d+) ", section)
    direction = re.search(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)$", section)
    return Line(
        mid=_needed(r"^a=mid:(\S+)$", section),
        kind=kind,
        direction=direction[1] if direction else "sendrecv",
        payload_type=payload_type,
        feedback=tuple(re.findall(rf"(?m)^a=rtcp-fb:{payload_type} (.+?)\s*$", section)),
        extensions={uri: int(number) for number, uri in re.findall(r"(?m)^a=extmap:(\d+)(?:/\w+)? (\S+)", section)},
        ssrc=int(ssrc[1]) if ssrc else None,
        stream=stream[1] if stream else "-",
        track=(stream[2] or "-") if stream else "-",
        rtx_payload_type=int(rtx[1]) if rtx else None,
        rtx_ssrc=int(group[2]) if group else None,
    )


def _needed(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise ValueError(f"the server's description has no {pattern}")
    return match[1]
