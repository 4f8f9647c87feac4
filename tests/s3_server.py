"""A real SeaweedFS for tests: the S3 server of the PyPI package, private and short-lived, ready in about a second."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.objectlockconfig import DAYS, ObjectLockConfig

from storage.s3 import S3Address
from tests.servers import free_port, missing

READY_WITHIN_S = 40.0
_PORTS = ("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "filer.port", "filer.port.grpc", "volume.port",
          "volume.port.grpc", "admin.port", "admin.port.grpc")  # fmt: skip


@dataclass
class Seaweed:
    """A server that can be stopped and started again on the same data and ports."""

    folder: Path
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in _PORTS})
    access_key: str = "court"
    secret_key: str = "court-secret"
    _process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.ports['s3.port']}"

    def client(self) -> Minio:
        return Minio(self.endpoint, access_key=self.access_key, secret_key=self.secret_key, secure=False)

    def address(self, bucket: str, **changes: str) -> S3Address:
        values = {"endpoint": self.endpoint, "access_key": self.access_key, "secret_key": self.secret_key, **changes}
        return S3Address(bucket=bucket, secure=False, **values)

    def new_bucket(self, name: str, *, locked_days: int | None = None) -> None:
        """A bucket, with object lock in compliance mode where `locked_days` says so."""
        client = self.client()
        client.make_bucket(name, object_lock=locked_days is not None)
        if locked_days is not None:
            client.set_object_lock_config(name, ObjectLockConfig(COMPLIANCE, locked_days, DAYS))

    def start(self) -> None:
        """Start and wait until a put succeeds (its health page answers too early)."""
        program = Path(__file__).resolve().parents[1] / ".venv" / "bin" / "weed"
        if not program.exists():
            missing("SeaweedFS (weed)")
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        identity = {
            "name": "court",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin"],
        }
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        ports = [f"-{name}={port}" for name, port in self.ports.items()]
        command = [
            str(program), f"-logdir={self.folder}", "mini", f"-dir={self.folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-s3.config={self.folder}/s3.json", *ports, "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0",
            "-s3.port.lance=0", "-master.volumeSizeLimitMB=64", "-s3.cacheCapacityMB=16",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                client = self.client()
                if not client.bucket_exists("ready"):
                    client.make_bucket("ready")
                client.put_object("ready", "probe", _Nothing(), 0)
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=20)
            self._process = None


class _Nothing:
    def read(self, _size: int = -1) -> bytes:
        return b""


@contextmanager
def seaweed(folder: Path) -> Iterator[Seaweed]:
    """A running server; stopped at the end."""
    server = Seaweed(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGKILL)
