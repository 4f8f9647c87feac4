"""What an operator may set for signaling. Only the composition root reads the environment; this is the frozen outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server given to browsers (RFC 8829 4.1.1 RTCIceServer)."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class SignalingSettings:
    """Signaling's settings. Times carry their unit in the name."""

    base_url: str
    """Address people type, without a trailing slash: start of personal links, own origin; https:// makes cookies Secure."""
    internal_token: str
    """Bearer token of /internal/*."""
    media_urls: tuple[str, ...]
    """Control addresses of the media workers on which sittings are placed."""
    web_root: Path
    """Folder of the built web application (web/dist)."""
    internal_port: int | None = None
    """The only port on which /internal/* answers; None: every port this server listens on."""
    court_id: str | None = None
    """The court served at this address; None: the only court of the installation."""
    court_tz: str = "Asia/Shanghai"
    """Zone of a docket day, labels and watermarks."""
    allowed_origins: tuple[str, ...] = ()
    """Further origins (scheme://host) from which commands are taken."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    session_hours: int = 12
    link_days: int = 14
    """How long a fresh personal link can be exchanged."""
    upload_limit_bytes: int = 50 * 1024 * 1024
    ice_servers: tuple[IceServer, ...] = ()
    turn_urls: tuple[str, ...] = ()
    """turn: and turns: addresses of the relay that shares `turn_secret`; empty: no relay."""
    turn_secret: str = field(default="", repr=False)
    turn_ttl_hours: int = 12
    relay_only: bool = False
    redis_url: str | None = None
    """Socket.IO manager between several signaling processes; None: one process."""
    seat_grace_s: float = 8.0
    """A lost socket keeps its seat so long, so that a reload is not a departure."""
    media_silence_s: float = 3.0
    """Worker unheard so long: clients are told that media is lost."""
    move_after_s: float = 8.0
    """Worker unheard and unreachable so long: its sittings go on at another one."""
    suspend_after_s: float = 15.0
    """Worker unheard so long: sittings in session become TECH_SUSPENDED."""
    captions: bool = False
    """A transcripts role is expected; its silence is told."""
    recorder_silence_s: float = 10.0
    """No recorder health so long: the recording is shown as faulty."""
    spool_warn_bytes: int = 20 * 1024**3
    """Less disk than this for recordings on a media host: judge and duty desk are warned."""
    spool_stop_bytes: int = 5 * 1024**3
    """Less than this: no sitting is opened any more; one in session goes on."""
    preflight: bool = True
    """宣布开庭 is refused while a check of the pre-flight is red (J3). Off in tests that are about something else."""
    commands_per_10_s: int = 100
    """Commands one socket may give in ten seconds."""
    ping_interval_s: int = 10
    ping_timeout_s: int = 8
