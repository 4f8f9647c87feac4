"""The media worker of a benchmark run as a process of its own: `python -m benchmarks.sfu.worker_process '{…}'`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from media.fanout import use_compiled
from media.settings import MediaSettings, Network
from media.worker import serve
from storage.clock import SystemClock


def main() -> None:
    values = json.loads(sys.argv[1])
    wanted = values["fanout"]
    if wanted != "default" and use_compiled(wanted == "compiled") != (wanted == "compiled"):
        sys.exit("the compiled fan-out is not built here")
    settings = MediaSettings(
        worker_id="benchmark",
        host="127.0.0.1",
        port=values["port"],
        control_url=f"http://127.0.0.1:{values['port']}",
        signaling_url=f"http://127.0.0.1:{values['signaling_port']}",
        spool=Path(values["spool"]),
        internal_token=values["token"],
        network=Network(addresses=(values["address"],), loopback=False),
    )
    asyncio.run(serve(settings, SystemClock()))


if __name__ == "__main__":
    main()
