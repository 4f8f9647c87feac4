"""`court serve`: all roles on one machine, each in its own process, restarted when it dies or stands still, stopped in order.

Stopping order: media first (it closes its segments and reports them), then the shipper (it empties the spool), transcripts
and jobs, signaling last, because all of them report to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import structlog

from court.banner import demo_table, opened, same_disk
from court.keys import trial_certificate
from court.log import configure_logging
from court.maintenance import prepare_installation
from court.roles.places import internal_url, media_urls, worker_id
from court.settings import Settings, child_environment
from storage.clock import SystemClock

ROLES_IN_STOPPING_ORDER = ("media", "shipper", "transcripts", "jobs", "signaling")
STOP_WITHIN_S = 12.0
BACKOFF_S = (0.3, 1.0, 2.0, 5.0, 10.0)
STEADY_S = 30.0  # a role that ran this long starts again without waiting
READY_WITHIN_S = 60.0
LOOK_EVERY_S = 2.0
ANSWER_WITHIN_S = 2.0
SILENT_LOOKS = 5  # so often in a row a media worker may leave us without an answer before it is ended

log = structlog.get_logger("court.supervisor")


class AlreadyRunning(Exception):
    """Another `court serve` uses the same data folder."""


class Role:
    """One role's process, kept alive. `health_url`, when given, must be answered, or the process counts as dead."""

    def __init__(
        self, name: str, arguments: tuple[str, ...], environment: dict[str, str], run_folder: Path, health_url: str = ""
    ) -> None:
        self.name = name
        self._arguments = arguments
        self._health_url = health_url
        self.kind = arguments[1]
        self._stop = asyncio.Event()
        self._environment = environment
        self._pid_file = run_folder / f"{name}.pid"
        self._process: asyncio.subprocess.Process | None = None

    async def keep_running(self, clock: SystemClock) -> None:
        """Start the role, and start it again whenever it ends, until stop()."""
        attempt = 0
        while not self._stop.is_set():
            began = clock.monotonic()
            code = await self._run()
            if self._stop.is_set():
                return
            attempt = 0 if clock.monotonic() - began > STEADY_S else attempt + 1
            wait_s = BACKOFF_S[min(attempt, len(BACKOFF_S)) - 1] if attempt else 0.0
            log.warning("role ended, starting it again", ended=self.name, code=code, wait_s=wait_s)
            await asyncio.sleep(wait_s)

    async def _run(self) -> int:
        command = (sys.executable, "-m", "court", "serve", *self._arguments, "--parent", str(os.getpid()))
        # Its own session: Ctrl-C in the terminal reaches the supervisor only, which then stops the roles in order.
        self._process = process = await asyncio.create_subprocess_exec(
            *command, env=self._environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True, limit=1 << 20,
        )  # fmt: skip
        self._pid_file.write_text(str(process.pid), encoding="ascii")
        if process.stdout is not None:
            watching = asyncio.create_task(self._end_if_it_stands_still(process))
            try:
                await _forward(process.stdout, f"{self.name:<11} | ")
            finally:
                watching.cancel()
        return await process.wait()

    async def _end_if_it_stands_still(self, process: asyncio.subprocess.Process) -> None:
        """A worker that runs and answers nobody keeps its sittings from all others: it is better dead."""
        if not self._health_url:
            return
        silent = 0
        while not await _answers(self._health_url):  # it is still starting
            await asyncio.sleep(LOOK_EVERY_S)
        while silent < SILENT_LOOKS:
            await asyncio.sleep(LOOK_EVERY_S)
            silent = 0 if await _answers(self._health_url) else silent + 1
        log.error("role does not answer, killing it", silent=self.name)
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    async def stop(self) -> None:
        """Ask the role to end, and end it when it does not listen."""
        self._stop.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            log.warning("role does not stop, killing it", stubborn=self.name)
            process.kill()
            await process.wait()


async def _forward(stream: asyncio.StreamReader, prefix: str) -> None:
    while line := await stream.readline():
        sys.stderr.write(prefix + line.decode("utf-8", "replace"))
        sys.stderr.flush()


def supervise(settings: Settings, *, tls_self_signed: bool) -> int:
    """Run everything until SIGTERM or Ctrl-C; 1 when the data folder or the port is taken."""
    configure_logging(settings.log_level, settings.log_format, "supervisor")
    try:
        with _sole_use(settings.data):
            if tls_self_signed:
                settings = _with_trial_certificate(settings)
            settings = _with_internal_ports(settings)
            return asyncio.run(_supervise(settings))
    except AlreadyRunning:
        print(f"court: 数据文件夹 {settings.data} 已有一个 court serve 在使用", file=sys.stderr)
    except OSError as error:
        print(f"court: 无法启动：{error.strerror or error}（{error.filename or settings.data}）", file=sys.stderr)
    return 1


@contextlib.contextmanager
def _sole_use(data: Path) -> Iterator[None]:
    data.mkdir(parents=True, exist_ok=True)
    with (data / "court.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning from None
        yield


def _with_trial_certificate(settings: Settings) -> Settings:
    names = {"localhost", "127.0.0.1", socket.gethostname(), *_addresses()}
    certificate, key = trial_certificate(settings.keys_dir, tuple(sorted(names)), SystemClock().now())
    return settings.model_copy(update={"tls_cert": certificate, "tls_key": key})


def _addresses() -> list[str]:
    """This machine's addresses, as its own name resolves to them."""
    try:
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)})
    except OSError:
        return []


def _with_internal_ports(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "internal_port": settings.internal_port or _free_ports(1),
            "media_port": settings.media_port or _free_ports(settings.media_workers),
        }
    )


def _free_ports(count: int) -> int:
    """The first of `count` free ports of the loopback interface in a row."""
    while True:
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            first = _bound(probes, 0)
            for n in range(1, count):
                _bound(probes, first + n)
            return first


def _bound(probes: contextlib.ExitStack, port: int) -> int:
    probe = probes.enter_context(socket.socket())
    probe.bind(("127.0.0.1", port))
    bound: int = probe.getsockname()[1]
    return bound


def _check_port(settings: Settings) -> None:
    """A taken port is said once and clearly, instead of by a role that cannot start."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise OSError(
                error.errno, f"{settings.host}:{settings.port} 不可用（{error.strerror}），可用 COURT_PORT 另设", None
            ) from None


async def _supervise(settings: Settings) -> int:
    _check_port(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    run_folder = settings.data / "run"
    run_folder.mkdir(parents=True, exist_ok=True)
    (run_folder / "ready").unlink(missing_ok=True)
    demo = await prepare_installation(settings)
    roles = list(_roles(settings, run_folder))
    keeping = [asyncio.create_task(role.keep_running(SystemClock())) for role in reversed(roles)]
    announcing = asyncio.create_task(_announce(settings, run_folder, "" if demo is None else demo_table(*demo)))
    try:
        await stop.wait()
    finally:
        announcing.cancel()
        (run_folder / "ready").unlink(missing_ok=True)
        for _, together in itertools.groupby(roles, key=lambda role: role.kind):
            await asyncio.gather(*(role.stop() for role in together))
        for task in keeping:
            task.cancel()
        await asyncio.gather(announcing, *keeping, return_exceptions=True)
    print("云庭已停止", file=sys.stderr)
    return 0


def _roles(settings: Settings, run_folder: Path) -> Iterator[Role]:
    """Every process, in the order of stopping."""
    environment = child_environment(settings)
    for name in ROLES_IN_STOPPING_ORDER:
        if name == "media":
            for number, url in enumerate(media_urls(settings), 1):
                shown = worker_id(number) if settings.media_workers > 1 else name
                arguments = ("--role", name, "--media-worker", str(number))
                yield Role(shown, arguments, environment, run_folder, f"{url}/healthz")
        elif settings.captions or name != "transcripts":
            yield Role(name, ("--role", name), environment, run_folder)


async def _announce(settings: Settings, run_folder: Path, table: str) -> None:
    """Once everything answers, say where, and who may come in. What takes long is told, and waited for all the same."""
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await _until_all_answer(settings)
    except TimeoutError:
        log.error("the application does not answer", port=settings.port)  # noqa: TRY400  the time-out itself says nothing
        await _until_all_answer(settings)
    captions = run_folder / "captions-ready"
    if settings.captions and not captions.exists():
        print("正在准备语音识别模型，其余功能已可使用", file=sys.stderr)
    print(opened(settings.public_url) + same_disk(settings.store_places) + table, flush=True)
    while settings.captions and not captions.exists():
        await asyncio.sleep(0.2)
    (run_folder / "ready").touch()


async def _until_all_answer(settings: Settings) -> None:
    while not await _all_answer(settings):
        await asyncio.sleep(0.2)


async def _all_answer(settings: Settings) -> bool:
    return all([await _answers(f"{url}/healthz") for url in (internal_url(settings), *media_urls(settings))])


async def _answers(url: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            return response.status == 200
    return False
