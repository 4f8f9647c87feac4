"""What the media worker and the shipper need to be told; the composition root reads the environment."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Network:
    """Where sockets are opened and which addresses are told to the other side.

    `addresses` empty: every address of the machine. `loopback` adds 127.0.0.1 (aioice skips it), for a machine without
    a network and for tests. `public_address` (IPv4) and `public_address_v6` are offered in place of the host's own addresses
    of that family when it stands behind 1:1 NAT.
    """

    addresses: tuple[str, ...] = ()
    loopback: bool = True
    public_address: str | None = None
    public_address_v6: str | None = None
    ports: tuple[int, int] | None = None  # inclusive; None: any free port


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """Settings of one media worker.

    `control_url` is where signaling reaches this worker; `signaling_url` where reports go. `max_video_bps` limits a sender's
    camera (all its layers together), and its screen. `silence_s`: a peer not heard of for so long is lost. `table_life_s`: a
    grant table that signaling has not called the newest for so long holds no longer; without signaling media flows on until
    then. `last_n`: how many cameras a client gets at most. `crowd_above`: with more people than that, only the loudest are
    forwarded beside bench and floor holder.
    """

    worker_id: str
    host: str
    port: int
    control_url: str
    signaling_url: str
    spool: Path
    internal_token: str = field(repr=False)
    network: Network = field(default_factory=Network)
    max_video_bps: int = 2_500_000
    silence_s: float = 5.0
    segment_s: float = 10.0
    table_life_s: float = math.inf
    last_n: int = 16
    crowd_above: int = 16


@dataclass(frozen=True, slots=True)
class ShipperSettings:
    """Settings of the shipper of one media host. `court_id` is part of the object keys."""

    spool: Path
    signaling_url: str
    court_id: str
    worker_id: str
    internal_token: str = field(repr=False)
    poll_s: float = 0.5
