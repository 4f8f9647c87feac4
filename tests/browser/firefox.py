"""Firefox as Debian ships it, driven by Marionette: the same pages, another engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

START_WITHIN_S = 180
FIND_WITHIN_S = 60.0
PREFERENCES = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,  # a coloured picture and a tone
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "intl.accept_languages": "zh-CN",
}


def missing() -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail("Firefox is missing, and CI must have it")
    pytest.skip("Firefox is missing")


def firefox_program() -> str:
    return shutil.which("firefox-esr") or shutil.which("firefox") or missing()


class Firefox:
    """One person in Firefox. Marionette waits for every answer, so each call has a thread of its own."""

    def __init__(self, marionette: Any) -> None:
        self._marionette = marionette

    async def open(self, url: str) -> None:
        await asyncio.to_thread(self._marionette.navigate, url)

    async def address(self) -> str:
        return str(await asyncio.to_thread(self._marionette.get_url))

    async def click(self, testid: str) -> None:
        def act() -> None:
            self._element(testid).click()

        await self._when_ready(act)

    async def shows(self, testid: str) -> None:
        def act() -> None:
            assert self._element(testid).is_displayed()

        await self._when_ready(act)

    async def streams(self) -> list[dict[str, Any]]:
        """What the page says on `?debug=1` of every stream."""
        script = "const [done] = arguments; window.__court.stats().then((rows) => done(JSON.stringify(rows)));"
        text = await asyncio.to_thread(self._marionette.execute_async_script, script, sandbox=None, script_timeout=20_000)
        rows: list[dict[str, Any]] = json.loads(text)
        return rows

    async def ask(self, promise: str) -> Any:
        """What this JavaScript promise gives, as JSON."""
        script = f"const [done] = arguments; ({promise}).then((one) => done(JSON.stringify(one ?? null)));"
        text = await asyncio.to_thread(self._marionette.execute_async_script, script, sandbox=None, script_timeout=30_000)
        return json.loads(text)

    async def picture(self, path: Path) -> None:
        """What the window shows, as PNG."""
        path.write_bytes(await asyncio.to_thread(self._marionette.screenshot, format="binary", full=False))

    def _element(self, testid: str) -> Any:
        from marionette_driver.by import By

        return self._marionette.find_element(By.CSS_SELECTOR, f'[data-testid="{testid}"]')

    async def _when_ready(self, act: Callable[[], None]) -> None:
        """Try until it works: the element may be on its way, hidden or covered."""
        from marionette_driver.errors import MarionetteException

        async with asyncio.timeout(FIND_WITHIN_S):
            while True:
                with contextlib.suppress(MarionetteException, AssertionError):
                    return await asyncio.to_thread(act)
                await asyncio.sleep(0.3)


@contextlib.asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[Firefox]:
    with warnings.catch_warnings():  # its packages are old Python, compiled at the first import
        warnings.simplefilter("ignore")
        from marionette_driver.marionette import Marionette

    def start() -> Any:
        program = Marionette(
            bin=firefox_program(), headless=True, prefs=PREFERENCES, gecko_log=str(folder / "firefox.log"),
            startup_timeout=START_WITHIN_S,
        )  # fmt: skip
        program.start_session()
        return program

    marionette = await asyncio.to_thread(start)
    try:
        yield Firefox(marionette)
    finally:
        await asyncio.to_thread(marionette.quit)
        marionette.cleanup()
