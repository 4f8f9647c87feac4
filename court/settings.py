"""Everything that can be set, read once from the environment and a `.env` file (prefix COURT_), documented in one place.

Only this module reads the environment. docs/operations.md is generated from the descriptions here; a test fails when
that page is stale.
"""

from __future__ import annotations

import json
import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from transcripts.engine_address import read_address

PREFIX = "COURT_"
ENV_FILE = Path(".env")
OUTSIDE_THE_PROGRAM = frozenset({"COURT_SPEECH_DIR"})  # read by benchmarks only: the folder of real speech


class SettingsError(Exception):
    """A setting is wrong or unknown; the message is one Chinese line that names it."""


class IceServer(BaseModel):
    """A STUN or TURN server that browsers may use (RTCIceServer)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    urls: list[str]
    username: str | None = None
    credential: str | None = None


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError("应为 JSON 数组") from error


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
IceServers = Annotated[tuple[IceServer, ...], NoDecode, BeforeValidator(_from_json)]
Port = Annotated[int, Field(ge=0, le=65535)]
HIGHEST_PORT = 65535
BUCKET_ADDRESS = re.compile(r"s3(\+http)?://[^\s:/@]+:[^\s:/@]+@[^\s/@]+/[^\s/?]+(\?region=[\w-]+)?")
PORTS_PER_WORKER = 2  # of one person; a courtroom needs two per person and address


class Settings(BaseSettings):
    """The settings of one installation. Paths are made absolute against the working folder."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data: Path = Field(Path("data"), description="Folder of the embedded database, the object store and the recording spool.")
    keys: Path | None = Field(
        None,
        description="Folder of the signing key and internal token, outside COURT_DATA. Unset: `<COURT_DATA>-keys` beside it.",
    )
    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. The default is reachable from this machine only; `0.0.0.0` opens it to the network, "
        "where browsers give the microphone only over HTTPS (COURT_TLS_CERT or `court serve --tls-self-signed`).",
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8080, description="Port of the web application.")
    base_url: str = Field(
        "", description="Address that stands in personal links, without a trailing slash. Unset: made from host and port."
    )
    tls_cert: Path | None = Field(None, description="PEM certificate chain; together with COURT_TLS_KEY.")
    tls_key: Path | None = Field(None, description="PEM private key; together with COURT_TLS_CERT.")
    trusted_proxies: Names = Field(
        (), description="Comma-separated addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."
    )
    allowed_origins: Names = Field(
        (), description="Comma-separated further origins (`https://host`) from which commands are taken."
    )
    tz: str = Field("Asia/Shanghai", description="Time zone of everything printed; inside the system all times are UTC.")
    database_url: str = Field(
        "", description="SQLAlchemy URL, for example `postgresql+asyncpg://court:…@db/court`. Unset: SQLite in COURT_DATA."
    )
    store_a: str = Field(
        "",
        repr=False,
        description="Where recordings, exhibits and manifests lie, encrypted: a folder, or a bucket as "
        "`s3://ACCESS_KEY:SECRET_KEY@minio.court.cn:9000/BUCKET` (`s3+http://` without TLS, `?region=`; `/` and the like "
        "in keys percent-encoded). Unset: `<COURT_DATA>/objects`.",
    )
    store_b: str = Field(
        "",
        repr=False,
        description="Where the second copy lies, best in another building. Unset: `<COURT_DATA>-copy` beside the data.",
    )
    cipher: Literal["aes-256-gcm", "sm4-gcm"] = Field(
        "aes-256-gcm", description="Encryption of what is stored from now on; what lies there stays readable."
    )
    signature: Literal["ed25519", "sm2"] = Field(
        "ed25519",
        description="Signature of sealed records from now on: Ed25519, or SM2 with SM3. Sealed records keep theirs.",
    )
    tsa_url: str = Field(
        "",
        description="Time stamp authority (RFC 3161 over HTTP) that stamps each ledger hourly and at its sealing, with "
        "COURT_TSA_CERT. Unset: a simulator whose stamps prove no time and say so.",
    )
    tsa_cert: Path | None = Field(
        None, description="PEM certificates by which the authority's stamps are checked: its own or its issuers'."
    )
    spool_warn_gb: Annotated[int, Field(ge=1)] = Field(
        20, description="Less disk than this (GiB) for recordings on a media host: judge and duty desk are warned."
    )
    spool_stop_gb: Annotated[int, Field(ge=0)] = Field(
        5, description="Less than this: no sitting is opened any more; one in session goes on. See `court estimate`."
    )
    retention_years: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="Time of keeping from the last 闭庭; before it `court destroy` refuses. 0: records are kept for ever."
    )
    verify_days: Annotated[int, Field(ge=0, le=365)] = Field(
        7, description="Every so many days both copies of every sitting are read whole, compared and healed. 0: on demand only."
    )
    verify_mb_s: Annotated[int, Field(ge=0, le=10_000)] = Field(
        20, description="So many MB a second that reading takes at most, so that hearings keep disk and network. 0: no limit."
    )
    film_fps: Annotated[int, Field(ge=10, le=15)] = Field(12, description="Pictures a second of the film of each sitting.")
    film_during_sessions: bool = Field(
        default=False, description="Films are made also while a sitting is in session (`jobs` on a machine of its own)."
    )
    redis_url: str = Field("", description="Redis for several signaling processes and for waking workers. Unset: embedded.")
    room_limit: Annotated[int, Field(ge=2, le=500)] = Field(16, description="People in one courtroom; one more is refused.")
    upload_limit_mb: Annotated[int, Field(ge=1, le=2048)] = Field(50, description="Largest exhibit file, in MiB.")
    link_days: Annotated[int, Field(ge=1, le=90)] = Field(14, description="Days in which a personal link can be opened.")
    session_hours: Annotated[int, Field(ge=1, le=24 * 7)] = Field(12, description="Life of a sign-in, in hours.")
    media_addresses: Names = Field(
        (),
        description="Comma-separated addresses of this host that media may use. Unset: every address of the machine; with "
        "COURT_HOST on loopback, loopback as well.",
    )
    media_public_address: Names = Field(
        (),
        description="Address told to browsers in place of the host's own, behind 1:1 NAT: one IPv4 address, one IPv6 address, "
        "or both with a comma between.",
    )
    media_udp_ports: str = Field("", description="Range of UDP ports for media, `40000-40999`. Unset: any free port.")
    ice_servers: IceServers = Field(
        (),
        description="STUN/TURN servers for browsers as JSON: "
        '`[{"urls":["turns:turn.court.cn:443"],"username":"…","credential":"…"}]`.',
    )
    turn_urls: Names = Field(
        (),
        description="Comma-separated addresses of a relay (coturn) that shares COURT_TURN_SECRET: `turn:turn.court.cn:3478,"
        "turn:turn.court.cn:3478?transport=tcp,turns:turn.court.cn:443`.",
    )
    turn_secret: str = Field(
        "",
        repr=False,
        description="coturn's `static-auth-secret`; each person gets credentials that expire. With COURT_TURN_URLS.",
    )
    turn_ttl_hours: Annotated[int, Field(ge=1, le=72)] = Field(
        12, description="Life of relay credentials, in hours; longer than a sitting."
    )
    relay_only: bool = Field(default=False, description="Browsers use the TURN relay only (networks that forbid direct UDP).")
    internal_port: Port = Field(0, description="Port on loopback where the roles report to signaling. 0: a free one.")
    media_port: Port = Field(
        0, description="Port on loopback by which the first media worker is steered; the others follow it. 0: free ones."
    )
    media_workers: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Media processes, each good for one core; a sitting lives on one. Also `court serve --media-workers N`."
    )
    media_last_n: Annotated[int, Field(ge=1, le=200)] = Field(
        16, description="How many cameras one person gets at most: floor holder, bench and recent speakers first."
    )
    media_crowd_above: Annotated[int, Field(ge=2, le=1000)] = Field(
        16,
        description="With more people than this in a sitting, of those without the floor only the three loudest are forwarded.",
    )
    speech_model_dir: Path | None = Field(
        None, description="Folder of a faster-whisper model. Unset: Whisper base, joined once from the installed packages."
    )
    speech_threads: Annotated[int, Field(ge=1, le=64)] = Field(2, description="Threads of one recognition.")
    speech_live: str = Field(
        "",
        description="Engine of live captions, see “Speech engines”: `whisper:FOLDER?device=cuda&compute=float16&beam=5`, "
        "`https://asr.court.cn/v1?model=NAME`. Unset: the model of COURT_SPEECH_MODEL_DIR on the CPU, int8.",
    )
    speech_final: str = Field(
        "", description="Engine of the final pass after a sitting, likewise. Unset: as live, read with more care."
    )
    speech_second: str = Field(
        "",
        description="Engine of the second opinion in the final pass, likewise, or `sensevoice:FOLDER`, `paraformer:FOLDER`; "
        "where it hears other words, the line is marked. Unset: none.",
    )
    speech_fallback: bool = Field(
        default=False,
        description="An endpoint that does not answer at start is replaced by the local model until the next start.",
    )
    speech_key: str = Field("", repr=False, description="Key sent to speech endpoints (`Authorization: Bearer`).")
    speech_key_file: Path | None = Field(None, description="File that holds that key; wins over COURT_SPEECH_KEY.")
    finals: Literal["captions", "separate", "off"] = Field(
        "captions",
        description="Who reads the recording of a closed sitting again for the final transcript: the transcripts role, while "
        "no sitting is in session; `separate`: `court serve --role finals`, best on a machine with a GPU; `off`: nobody.",
    )
    captions: bool = Field(default=True, description="Live captions. Off: no transcripts role, no model is loaded.")
    demo: bool = Field(
        default=True, description="Seed the demo court when the database is empty, and print its sign-ins. Off in production."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level that is logged.")
    log_format: Literal["console", "json"] = Field("console", description="One readable or one JSON line per event.")

    @field_validator("data", "keys", "tls_cert", "tls_key", "speech_model_dir", "speech_key_file", "tsa_cert")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @field_validator("tz")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("没有这个时区") from error
        return value

    @field_validator("base_url", "tsa_url")
    @classmethod
    def _http_address(cls, value: str, info: ValidationInfo) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("应以 http:// 或 https:// 开头")
        return value.rstrip("/") if info.field_name == "base_url" else value

    @field_validator("speech_live", "speech_final", "speech_second")
    @classmethod
    def _engine_address(cls, value: str) -> str:
        read_address(value)
        return value

    @field_validator("store_a", "store_b")
    @classmethod
    def _bucket_address(cls, value: str) -> str:
        if "://" in value and BUCKET_ADDRESS.fullmatch(value) is None:
            raise ValueError("应为文件夹，或 s3://访问密钥:私密密钥@主机:端口/存储桶")
        return value if "://" in value or not value else str(Path(value).expanduser().absolute())

    @field_validator("turn_urls")
    @classmethod
    def _turn_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if re.fullmatch(r"turns?:[^\s?]+(\?transport=(udp|tcp))?", url) is None:  # RFC 7065
                raise ValueError("应为 turn:主机:端口 或 turns:主机:端口，可加 ?transport=udp 或 ?transport=tcp")
        return value

    @field_validator("media_addresses", "media_public_address")
    @classmethod
    def _literal_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            try:
                usable = not ip_address(address).is_unspecified
            except ValueError:
                usable = False
            if not usable:
                raise ValueError("应为逗号分隔的 IPv4 或 IPv6 地址，不能是域名或 0.0.0.0")
        return value

    @field_validator("media_public_address")
    @classmethod
    def _one_of_each_family(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({ip_address(address).version for address in value}) != len(value):
            raise ValueError("IPv4 与 IPv6 各最多一个地址")
        return value

    @field_validator("media_udp_ports")
    @classmethod
    def _port_range(cls, value: str) -> str:
        low, _, high = value.partition("-")
        if value and not (low.isdigit() and high.isdigit() and 1024 <= int(low) <= int(high) <= 65535):
            raise ValueError("应为 40000-40999 这样的端口范围")
        return value

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("COURT_TLS_CERT 与 COURT_TLS_KEY 须同时设置")
        if bool(self.tsa_url) != (self.tsa_cert is not None):
            raise ValueError("COURT_TSA_URL 与 COURT_TSA_CERT 须同时设置")
        files = (
            ("COURT_TLS_CERT", self.tls_cert), ("COURT_TLS_KEY", self.tls_key), ("COURT_TSA_CERT", self.tsa_cert),
            ("COURT_SPEECH_KEY_FILE", self.speech_key_file),
        )  # fmt: skip
        for name, path in files:
            if path is not None and not path.is_file():
                raise ValueError(f"{name} 指向的文件不存在：{path}")
        if bool(self.turn_urls) != bool(self.turn_secret):
            raise ValueError("COURT_TURN_URLS 与 COURT_TURN_SECRET 须同时设置")
        if self.relay_only and not self.turn_urls and not self.ice_servers:
            raise ValueError("COURT_RELAY_ONLY 需要中继：请设置 COURT_TURN_URLS 与 COURT_TURN_SECRET")
        if self.keys_dir.is_relative_to(self.data.absolute()):
            raise ValueError("COURT_KEYS 不得位于 COURT_DATA 之内：密钥与数据须分开保管")
        if self.spool_stop_gb > self.spool_warn_gb:
            raise ValueError("COURT_SPOOL_STOP_GB 不得大于 COURT_SPOOL_WARN_GB")
        if self.store_places[0] == self.store_places[1]:
            raise ValueError("COURT_STORE_A 与 COURT_STORE_B 不得是同一处：第二份副本须另存")
        if self.speech_model_dir is not None and not self.speech_model_dir.is_dir():
            raise ValueError(f"COURT_SPEECH_MODEL_DIR 指向的文件夹不存在：{self.speech_model_dir}")
        return self

    @model_validator(mode="after")
    def _ports_for_all(self) -> Settings:
        if self.media_port + self.media_workers - 1 > HIGHEST_PORT:
            raise ValueError("COURT_MEDIA_PORT 之后的端口不够 COURT_MEDIA_WORKERS 使用")
        if self.media_port_range is not None:
            low, high = self.media_port_range
            if high - low + 1 < PORTS_PER_WORKER * self.media_workers:
                raise ValueError(f"COURT_MEDIA_UDP_PORTS 太少：每个媒体进程至少需要 {PORTS_PER_WORKER} 个端口")
        return self

    @property
    def keys_dir(self) -> Path:
        data = self.data.absolute()
        return self.keys if self.keys is not None else data.with_name(f"{data.name}-keys")

    @property
    def store_places(self) -> tuple[str, str]:
        """The two folders or bucket addresses."""
        data = self.data.absolute()
        return self.store_a or str(data / "objects"), self.store_b or str(data.with_name(f"{data.name}-copy"))

    @property
    def makes_finals(self) -> bool:
        """Whether somebody is there to make final passes."""
        return self.finals == "separate" or (self.finals == "captions" and self.captions)

    @property
    def media_port_range(self) -> tuple[int, int] | None:
        """First and last UDP port for media; None: any."""
        low, _, high = self.media_udp_ports.partition("-")
        return (int(low), int(high)) if high else None

    @property
    def tls(self) -> bool:
        return self.tls_cert is not None

    @property
    def database_address(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.data.absolute() / 'court.db'}"

    @property
    def local_url(self) -> str:
        """Where this machine itself reaches the web application."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host
        return f"{'https' if self.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def public_url(self) -> str:
        """Where people reach it; `localhost` counts as a secure context in every browser."""
        return self.base_url or self.local_url.replace("//127.0.0.1:", "//localhost:")


def environment_name(field: str) -> str:
    return f"{PREFIX}{field.upper()}"


def load_settings(**options: object) -> Settings:
    """Read `.env` and the environment (which wins over it); `options` of the command line win over both.

    Raises SettingsError naming the first wrong or unknown setting.
    """
    known = {environment_name(name) for name in Settings.model_fields} | OUTSIDE_THE_PROGRAM
    given = {*os.environ, *(dotenv_values(ENV_FILE) if ENV_FILE.is_file() else {})}
    unknown = sorted(name for name in given if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsError(f"未知的设置 {unknown[0]}；可用的设置见 `court settings`")
    try:
        return Settings(**options)  # type: ignore[arg-type]  # pydantic checks what the options are
    except ValidationError as error:
        raise SettingsError(_first_problem(error)) from None


_CHINESE = {
    "int_parsing": "应为整数",
    "bool_parsing": "应为 true 或 false",
    "greater_than_equal": "不得小于 {ge}",
    "less_than_equal": "不得大于 {le}",
    "literal_error": "只能是 {expected}",
}


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    context = problem.get("ctx", {})
    reason = _CHINESE.get(problem["type"], problem["msg"]).format(**context)
    reason = reason.removeprefix("Value error, ")
    if not problem["loc"]:
        return f"设置有误：{reason}"
    value = problem.get("input")
    shown = f"“{value}”" if isinstance(value, str | int) and "@" not in str(value) else ""  # before an @ may stand a key
    return f"设置 {environment_name(str(problem['loc'][0]))} 的值{shown}有误：{reason}"


def settings_table() -> str:
    """The Markdown table of docs/operations.md."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "", ()) else _as_text(field.default)
        rows.append(f"| `{environment_name(name)}` | {f'`{default}`' if default else 'unset'} | {field.description} |")
    return "\n".join(rows)


def child_environment(settings: Settings) -> dict[str, str]:
    """The same settings as environment variables, for the processes the supervisor starts."""
    values = settings.model_dump(mode="json", exclude_none=True)
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    for name, value in values.items():
        text = _as_text(value)
        if text:
            environment[environment_name(name)] = text
    return environment


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return json.dumps(value) if any(isinstance(item, dict) for item in value) else ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
