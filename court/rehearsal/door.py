"""The robots' way in over HTTP: sign-in, personal link, CSRF token, and the few calls a rehearsal makes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from signaling.protocol import (
    DocketItem,
    ExhibitView,
    HearingCreated,
    Me,
    NewHearing,
    RecordView,
    SelfTest,
    StaffView,
    WireError,
)

TIMEOUT = aiohttp.ClientTimeout(total=60)


class Account(BaseModel):
    """A staff account a robot may use."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    login: str
    password: str
    position: str  # judge | assessor | clerk


class Credentials(BaseModel):
    """The file of --credentials; `court serve` writes one for the demo court into COURT_KEYS/demo.json."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    accounts: tuple[Account, ...]


class CredentialsError(Exception):
    """The file of credentials cannot be used; the message is one Chinese line."""


def load_credentials(path: Path) -> Credentials:
    """Raises CredentialsError."""
    try:
        return Credentials.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CredentialsError(f"{path}：无法读取（{error.__class__.__name__}）") from None
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise CredentialsError(f"{path}：字段 {place} 有误") from None


class HttpRefused(Exception):
    """The server refused an HTTP request."""

    def __init__(self, status: int, error: WireError) -> None:
        super().__init__(f"{status} {error.code}: {error.message}")
        self.error = error


class Door:
    """One person's HTTP session; its cookies serve the Socket.IO connection too."""

    def __init__(self, base_url: str, *, trust_any_certificate: bool = False) -> None:
        self.base_url = base_url
        connector = aiohttp.TCPConnector(ssl=not trust_any_certificate)
        # unsafe: cookies for a bare address such as 127.0.0.1 too
        self.session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=TIMEOUT)
        self._csrf = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    async def sign_in(self, account: Account) -> Me:
        await self._call("POST", "/api/sign-in", {"login": account.login, "password": account.password})
        return await self.who()

    async def use_link(self, url: str) -> Me:
        """Exchange a personal link."""
        await self._call("POST", "/api/link", {"token": url.rstrip("/").rsplit("/", 1)[-1]})
        return await self.who()

    async def who(self) -> Me:
        me = Me.model_validate_json(await self._call("GET", "/api/me"))
        self._csrf = me.csrf
        return me

    async def colleagues(self) -> list[StaffView]:
        body = await self._call("GET", "/api/staff")
        return [StaffView.model_validate(item) for item in _list(body)]

    async def create_hearing(self, hearing: NewHearing) -> HearingCreated:
        return HearingCreated.model_validate_json(await self._call("POST", "/api/hearings", hearing.model_dump(mode="json")))

    async def hearing(self, hearing_id: str) -> DocketItem:
        return DocketItem.model_validate_json(await self._call("GET", f"/api/hearings/{hearing_id}"))

    async def report_self_test(self, *, video: bool) -> None:
        """The robot's devices are files, so they are always well."""
        test = SelfTest(camera="ok" if video else "none", microphone="ok", speaker="ok", browser="court rehearse")
        await self._call("POST", "/api/self-test", test.model_dump(mode="json"))

    async def submit_exhibit(self, hearing_id: str, file: Path, title: str, purpose: str) -> ExhibitView:
        form = aiohttp.FormData()
        form.add_field("title", title)
        form.add_field("purpose", purpose)
        content = await asyncio.to_thread(file.read_bytes)
        form.add_field("file", content, filename=file.name, content_type="application/octet-stream")
        return ExhibitView.model_validate_json(await self._call("POST", f"/api/hearings/{hearing_id}/exhibits", form))

    async def record(self, sitting_id: str) -> RecordView:
        return RecordView.model_validate_json(await self._call("GET", f"/api/sittings/{sitting_id}/record"))

    async def save_package(self, hearing_id: str, path: Path) -> None:
        """Download the record package (zip)."""
        async with self._request("GET", f"/api/hearings/{hearing_id}/package.zip", None) as response:
            with path.open("wb") as file:
                async for chunk in response.content.iter_chunked(1 << 18):
                    file.write(chunk)

    async def _call(self, method: str, path: str, body: dict[str, Any] | aiohttp.FormData | None = None) -> bytes:
        async with self._request(method, path, body) as response:
            return await response.read()

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, body: dict[str, Any] | aiohttp.FormData | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Raises HttpRefused, or ConnectionError when the server is away or goes away."""
        headers = {"X-CSRF-Token": self._csrf} if self._csrf else {}
        as_json, data = (body, None) if isinstance(body, dict) else (None, body)
        try:
            async with self.session.request(method, self.base_url + path, headers=headers, json=as_json, data=data) as response:
                if response.status >= 400:
                    raise HttpRefused(response.status, _wire_error(await response.read()))
                yield response
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error


def _wire_error(body: bytes) -> WireError:
    try:
        return WireError.model_validate_json(body)
    except ValidationError:
        return WireError(code="not_json", message="服务器的回答不是约定的错误格式")


def _list(body: bytes) -> list[Any]:
    parsed = json.loads(body)
    return list(parsed["staff"] if isinstance(parsed, dict) else parsed)
