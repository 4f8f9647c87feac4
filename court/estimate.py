"""`court estimate`: how much disk and network a sitting needs, reckoned line by line.

The record is forwarded media in WebM, never transcoded: its size is what people send, plus the container's own bytes.
tests/integration/test_short_rehearsal.py compares this with the bytes of a rehearsal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from storage.envelope import stored_bytes

SEGMENT_S = 10
VOICE_FRAMES_PER_S = 50
VOICE_FRAME_BYTES = 7.2  # WebM around one Opus packet: block header, its share of the cluster of each second
PICTURE_FRAME_BYTES = 24  # WebM around one picture: block group with a reference
SEGMENT_BYTES = 250  # head of a segment
SIDECAR_BYTES = 2 * 4096  # the sidecar's block on the disk, and the last half-filled one of the media file
RTP_FRAME_BYTES = 62  # IP, UDP, RTP with extensions, SRTP tag around each packet
RTP_PAYLOAD_BYTES = 1_100
SCREEN_BPS = 800_000
LAST_N = 16
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Load:
    """A sitting. Bit rates are of what one person sends, on average over the hours, without headers."""

    people: int
    hours: float
    camera_bps: float = 1_000_000
    voice_bps: float = 32_000
    frames_per_s: float = 15.0
    screen_hours: float = 0.0
    outage_hours: float = 1.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes and bits per second. `spool_bytes` is what the record of the whole sitting takes while nothing is shipped."""

    voice_bytes: int
    camera_bytes: int
    screen_bytes: int
    spool_bytes: int
    store_bytes: int  # in each of the two
    spool_peak_bytes: int  # with both stores away for `outage_hours`
    ship_bps: int  # to each store while in session, and as much again for reading back
    person_up_bps: int
    person_down_bps: int  # at most: everybody's pictures in full
    server_out_bps: int


def estimate(load: Load) -> Estimate:
    seconds = load.hours * 3600
    voice = load.people * _track_bytes(seconds, load.voice_bps, VOICE_FRAMES_PER_S, VOICE_FRAME_BYTES)
    camera = load.people * _track_bytes(seconds, load.camera_bps, load.frames_per_s, PICTURE_FRAME_BYTES)
    screen = _track_bytes(load.screen_hours * 3600, SCREEN_BPS, load.frames_per_s, PICTURE_FRAME_BYTES)
    recorded = voice + camera + screen
    segments = math.ceil(seconds / SEGMENT_S) * load.people * 2
    mean = recorded / max(1, segments)
    stored = round(segments * stored_bytes(round(mean)))
    up = _on_the_wire(load.voice_bps, VOICE_FRAMES_PER_S) + _on_the_wire(load.camera_bps, load.frames_per_s)
    others = load.people - 1
    down = others * _on_the_wire(load.voice_bps, VOICE_FRAMES_PER_S)
    down += min(others, LAST_N) * _on_the_wire(load.camera_bps, load.frames_per_s)
    return Estimate(
        voice_bytes=round(voice), camera_bytes=round(camera), screen_bytes=round(screen), spool_bytes=round(recorded),
        store_bytes=stored,
        spool_peak_bytes=round((recorded + segments * SIDECAR_BYTES) / load.hours * min(load.hours, load.outage_hours)),
        ship_bps=round(stored * 8 / seconds), person_up_bps=round(up), person_down_bps=round(down),
        server_out_bps=round(down * load.people),
    )  # fmt: skip


def _track_bytes(seconds: float, bps: float, frames_per_s: float, frame_bytes: float) -> float:
    if bps <= 0 or seconds <= 0:
        return 0.0
    return seconds * (bps / 8 + frames_per_s * frame_bytes) + math.ceil(seconds / SEGMENT_S) * SEGMENT_BYTES


def _on_the_wire(bps: float, frames_per_s: float) -> float:
    """With the headers of its packets: at least one to a frame."""
    packets_per_s = max(frames_per_s, bps / 8 / RTP_PAYLOAD_BYTES) if bps > 0 else 0
    return bps + packets_per_s * RTP_FRAME_BYTES * 8


def explained(load: Load, result: Estimate) -> str:
    """Chinese, one line for each step."""
    head = (
        f"估算：{load.people} 人，开庭 {load.hours:g} 小时；"
        f"每人声音 {load.voice_bps / 1000:g} kbit/s、摄像头 {load.camera_bps / 1000:g} kbit/s（全程平均）"
    )
    return "\n".join([head, "", *_recording(load, result), "", *_disk(load, result), "", *_network(result)])


def _recording(load: Load, result: Estimate) -> list[str]:
    each = f"{load.people} 人 × {load.hours:g} 小时"
    voice = f"{load.voice_bps / 8000:g} KB/s + 封装 {VOICE_FRAMES_PER_S * VOICE_FRAME_BYTES / 1000:.2f} KB/s"
    camera = f"{load.camera_bps / 8000:g} KB/s + 封装 {load.frames_per_s * PICTURE_FRAME_BYTES / 1000:.2f} KB/s"
    screen = f"  屏幕　　{load.screen_hours:g} 小时 × {SCREEN_BPS // 1000} kbit/s = {_size(result.screen_bytes)}"
    return [
        "录制（原样保存所收到的音视频，不转码；休庭、调解、合议期间不录制，实际只会更少）",
        f"  声音　　{each} × ({voice}) = {_size(result.voice_bytes)}",
        f"  摄像头　{each} × ({camera}) = {_size(result.camera_bytes)}",
        *([screen] if load.screen_hours else []),
        f"  合计　　{_size(result.spool_bytes)}，即每小时 {_size(result.spool_bytes / load.hours)}",
    ]


def _disk(load: Load, result: Estimate) -> list[str]:
    away = min(load.hours, load.outage_hours)
    stop = max(1, math.ceil(result.spool_peak_bytes / GIB))
    one, both = _size(result.store_bytes), _size(2 * result.store_bytes)
    return [
        "磁盘",
        f"  每份存储　　　{one}（加密增加不到 0.1 %），每小时 {_size(result.store_bytes / load.hours)}；两份合计 {both}",
        f"  录制服务器　　平时只留最近十几秒；两份存储都中断 {away:g} 小时须暂存 {_size(result.spool_peak_bytes)}",
        f"  　　　　　　　建议 COURT_SPOOL_STOP_GB ≥ {stop}（每多一庭同时进行，再加一份）",
    ]


def _network(result: Estimate) -> list[str]:
    return [
        "网络",
        f"  归档　　　　　每份存储写入 {_rate(result.ship_bps)}，读回核对再占 {_rate(result.ship_bps)}",
        f"  每人上行　　　{_rate(result.person_up_bps)}",
        f"  每人下行　　　至多 {_rate(result.person_down_bps)}（带宽不足或画面较小时自动降低，声音优先）",
        f"  服务器出口　　至多 {_rate(result.server_out_bps)}",
    ]


def _size(count: float) -> str:
    return f"{count / GIB:.2f} GiB" if count >= GIB else f"{count / 1024**2:.1f} MiB"


def _rate(bps: float) -> str:
    return f"{bps / 1e6:.1f} Mbit/s"
