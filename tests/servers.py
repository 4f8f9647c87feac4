"""Real servers for tests, private and short-lived. Missing programs skip a test with a message, but fail it when CI=true."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from court.keys import trial_certificate
from storage.clock import SystemClock
from storage.database import Database, normal_url
from storage.ids import new_id
from storage.migrate import migrate


def missing(what: str) -> NoReturn:
    """Say what is missing: a skip at a desk, a failure in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is missing")


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; `template` is a database that holds the migrated schema and nothing else."""

    port: int
    template: str = "template_court"

    def url(self, name: str) -> str:
        return f"postgresql://court:pw@127.0.0.1:{self.port}/{name}"

    async def execute(self, statement: str) -> None:
        """Run one statement outside any transaction, on the maintenance database."""
        engine = create_async_engine(normal_url(self.url("postgres")), isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                await connection.execute(text(statement))
        finally:
            await engine.dispose()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of our own; refuses to run as root, so root hands it to the account `postgres`."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = programs[-1].parent if programs else Path(shutil.which("initdb") or "/missing").parent
    if not (found / "initdb").exists():
        missing("PostgreSQL (initdb)")
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="court-postgres-", dir="/tmp"))  # traversable for the other account
    try:
        if as_postgres:
            shutil.chown(folder, "postgres")
        (folder / "password").write_text("pw\n")
        (folder / "password").chmod(0o644)
        data, port = folder / "data", free_port()
        _run([*as_postgres, str(found / "initdb"), "-D", str(data), "-A", "scram-sha-256", f"--pwfile={folder}/password",
              "-U", "court", "-E", "UTF8", "--locale=C.UTF-8", "-N"])  # fmt: skip
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        control = [*as_postgres, str(found / "pg_ctl"), "-D", str(data), "-w"]
        _run([*control, "-l", f"{folder}/log", "-o", options, "start"])
        try:
            yield PostgresServer(port)
        finally:
            _run([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def court_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh migrated database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/court.db"
        await migrate(url)
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.url(await _fresh_database(server))
    database = Database(url)
    yield database
    await database.close()


async def _fresh_database(server: PostgresServer) -> str:
    name = new_id("db")
    if not await _exists(server, server.template):
        await server.execute(f"CREATE DATABASE {server.template}")
        await migrate(server.url(server.template))
    await server.execute(f"CREATE DATABASE {name} TEMPLATE {server.template}")
    return name


async def _exists(server: PostgresServer, name: str) -> bool:
    database = Database(server.url("postgres"))
    try:
        async with database.read() as connection:
            found = await connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name})
            return found is not None
    finally:
        await database.close()


# --- a relay ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Relay:
    """A running coturn on loopback that shares `secret`; `log` is what it has written so far."""

    port: int
    tls_port: int
    secret: str
    certificate: Path
    log_file: Path

    @property
    def udp(self) -> str:
        return f"turn:127.0.0.1:{self.port}?transport=udp"

    @property
    def tcp(self) -> str:
        return f"turn:127.0.0.1:{self.port}?transport=tcp"

    @property
    def tls(self) -> str:
        return f"turns:localhost:{self.tls_port}?transport=tcp"

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")


RELAY_CONF = """
listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port={port}
tls-listening-port={tls_port}
min-port={low}
max-port={high}
use-auth-secret
static-auth-secret={secret}
realm=court.local
cert={cert}
pkey={key}
no-cli
no-rfc5780
no-dtls
allow-loopback-peers
userdb={folder}/turndb
pidfile={folder}/pid
log-file=stdout
verbose
"""
"""allow-loopback-peers is for tests alone: deploy/turnserver.conf refuses inner addresses as peers."""


@pytest.fixture(scope="session")
def relay_server() -> Iterator[Relay]:
    """A coturn of our own with UDP, TCP and TLS."""
    with relay_of(lambda values: RELAY_CONF.format(**values)) as relay:
        yield relay


@contextmanager
def relay_of(conf: Callable[[dict[str, Any]], str]) -> Iterator[Relay]:
    """A coturn with this configuration; the secret stands in its file, not in a command line."""
    program = shutil.which("turnserver") or missing("coturn (turnserver)")
    folder = Path(tempfile.mkdtemp(prefix="court-relay-", dir="/tmp"))
    certificate, key = trial_certificate(folder / "keys", ("localhost", "127.0.0.1"), SystemClock().now())
    relay = Relay(free_port(), free_port(), new_id("secret"), certificate, folder / "log")
    low = 30_000 + os.getpid() % 2_000
    values = {
        "port": relay.port, "tls_port": relay.tls_port, "low": low, "high": low + 300, "secret": relay.secret,
        "cert": certificate, "key": key, "folder": folder,
    }  # fmt: skip
    (folder / "turnserver.conf").write_text(conf(values))
    with relay.log_file.open("wb") as output:
        command = [program, "-c", str(folder / "turnserver.conf")]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
    try:
        _await_port(relay.port, process)
        _await_port(relay.tls_port, process)
        yield relay
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _await_port(port: int, process: subprocess.Popen[bytes], within_s: float = 20.0) -> None:
    ends = time.monotonic() + within_s
    while True:
        assert process.poll() is None, "the server ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < ends, f"port {port} does not answer"
        time.sleep(0.05)


def _run(command: list[str]) -> None:
    # Not through a pipe: the server keeps the pipe open and would be waited for.
    with tempfile.TemporaryFile() as output:
        result = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, cwd="/", timeout=60, check=False)
        output.seek(0)
        assert result.returncode == 0, output.read().decode(errors="replace")
