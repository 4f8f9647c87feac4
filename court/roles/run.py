"""Run one role in this process until it is told to stop (SIGTERM, Ctrl-C) or its supervisor is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from court.log import configure_logging
from court.roles.places import worker_id
from court.settings import Settings

WATCH_PARENT_S = 1.0
STOP_WITHIN_S = 15.0
RoleMain = Callable[[Settings], Coroutine[Any, Any, None]]

log = structlog.get_logger("court")


def run_role(role: str, settings: Settings, parent: int | None, number: int = 1) -> int:
    """Run a role, of the media workers the one with this number. Returns the exit status: 0 after a clean stop."""
    configure_logging(settings.log_level, settings.log_format, worker_id(number) if role == "media" else role)
    return asyncio.run(_until_stopped(_main_of(role, number), settings, parent))


def _main_of(role: str, number: int) -> RoleMain:
    match role:
        case "signaling":
            from court.roles.signaling import main
        case "media":
            from court.roles.media import main as media_main

            return partial(media_main, number=number)
        case "shipper":
            from court.roles.shipper import main
        case "transcripts":
            from court.roles.transcripts import main
        case "jobs":
            from court.roles.jobs import main
        case "finals":
            from court.roles.finals import main
        case _:
            sys.exit(2)  # argparse lets only the names above through
    return main


async def _until_stopped(main: RoleMain, settings: Settings, parent: int | None) -> int:
    work = asyncio.create_task(main(settings))
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, work.cancel)
    watch = asyncio.create_task(_watch_parent(parent, work)) if parent is not None else None
    try:
        await work
    except asyncio.CancelledError:
        with contextlib.suppress(BrokenPipeError):
            log.info("role stopped")
    finally:
        if watch is not None:
            watch.cancel()
    return 0


async def _watch_parent(parent: int, work: asyncio.Task[None]) -> None:
    """A role whose supervisor was killed must not stay behind."""
    while os.getppid() == parent:
        await asyncio.sleep(WATCH_PARENT_S)
    work.cancel()  # and not a word: whoever read our log is gone, and writing would fail
    await asyncio.sleep(STOP_WITHIN_S)
    os._exit(1)
