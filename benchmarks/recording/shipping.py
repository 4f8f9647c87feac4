"""How fast the shipper empties a spool: into two buckets of a real SeaweedFS, or into two folders.

    python -m benchmarks.recording.shipping --to s3 --segments 200 --kib 1300

Everything the shipper does is in it: SHA-256, SM3, key, encryption, two puts, two readings back, report, freeing. Only signaling
is a stand-in. Server, stores and shipper share the machine; the server's own work is a good part of what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from storage.s3 import S3Store
from tests.integration.shipping_bed import ShippingBed, shipping_bed
from tests.s3_server import seaweed

TRACKS = 12


async def ship(folder: Path, first: S3Store | None, second: S3Store | None, segments: int, size: int) -> dict[str, Any]:
    async with shipping_bed(folder, first, second) as bed:
        fill(bed, segments, size)
        shipper = bed.shipper()
        began_s, cpu_s = time.perf_counter(), time.process_time()
        while await shipper.ship_all():
            await asyncio.sleep(0.05)
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        await bed.assert_whole()
    mib = segments * size / 1024**2
    return {
        "segments": segments, "segment_kib": size // 1024, "mib": round(mib, 1), "seconds": round(took_s, 2),
        "mib_per_s": round(mib / took_s, 1), "segments_per_s": round(segments / took_s, 1),
        "shipper_cpu_s_per_gib": round(cpu_s * 1024 / mib, 2),
    }  # fmt: skip


def fill(bed: ShippingBed, segments: int, size: int) -> None:
    for n in range(segments):
        bed.segment(f"p{n % TRACKS}-video", size)


async def run(to: str, segments: int, size: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="shipping-benchmark-") as temporary:
        folder = Path(temporary) / "bed"
        folder.mkdir()
        if to == "folder":
            return {"to": to, **await ship(folder, None, None, segments, size)}
        with seaweed(Path(temporary) / "seaweed") as server:
            for name in ("copy-a", "copy-b"):
                server.new_bucket(name)
            stores = [S3Store(server.address(name)) for name in ("copy-a", "copy-b")]
            return {"to": to, **await ship(folder, *stores, segments, size)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", choices=("s3", "folder"), default="s3")
    parser.add_argument("--segments", type=int, default=200)
    parser.add_argument("--kib", type=int, default=1300, help="size of a segment; ten seconds at 1 Mbit/s are about 1,220 KiB")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(json.dumps(asyncio.run(run(options.to, options.segments, options.kib * 1024))))


if __name__ == "__main__":
    main()
