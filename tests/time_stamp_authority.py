"""A time stamp authority of another make for tests: `openssl ts` behind a tiny HTTP server, with a CA of its own."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from storage.clock import SystemClock

CONFIGURATION = """
[tsa]
default_tsa = authority
[authority]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
certs = ca.pem
signer_key = tsa-key.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_alg = sha256
"""


class Authority:
    """`mode`: what it answers with: stamp | replay (its first answer again) | garbage | error | reject | endless."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mode, self.url, self.asked = folder, "stamp", "", 0
        self._first: bytes | None = None
        folder.mkdir()
        self.ca = _certificates(folder)
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(CONFIGURATION)
        self._turn = threading.Lock()

    @property
    def ca_path(self) -> Path:
        return self.folder / "ca.pem"

    def answer(self, query: bytes) -> tuple[int, str, bytes]:
        with self._turn:
            self.asked += 1
            if self.mode == "error":
                return 503, "text/plain", b"away"
            if self.mode == "garbage":
                return 200, "application/timestamp-reply", b"\x30\x03\x02\x01\x07"
            if self.mode == "endless":
                return 200, "application/timestamp-reply", bytes(3 << 20)
            if self.mode == "reject":  # PKIStatusInfo: rejection, badAlg
                return 200, "application/timestamp-reply", bytes.fromhex("3009300702010203020780")
            if self.mode == "replay" and self._first is not None:
                return 200, "application/timestamp-reply", self._first
            (self.folder / "query").write_bytes(query)
            command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"]
            subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
            reply = (self.folder / "reply").read_bytes()
            self._first = self._first or reply
            return 200, "application/timestamp-reply", reply


@contextmanager
def serving(authority: Authority) -> Iterator[Authority]:
    """Answer on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, kind, body = authority.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority.url = f"http://127.0.0.1:{server.server_address[1]}/tsr"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()


def _certificates(folder: Path) -> x509.Certificate:
    """A CA, and the authority's certificate issued by it."""
    now = SystemClock().now()
    ca_key, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    ca_name, name = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("Test CA", "Test TSA"))

    def begun(subject: x509.Name, public: rsa.RSAPublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(ca_name).public_key(public)
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=9))

    root = begun(ca_name, ca_key.public_key()).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = root.sign(ca_key, hashes.SHA256())
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    leaf = begun(name, key.public_key()).add_extension(usage, critical=True).sign(ca_key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    (folder / "tsa.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    (folder / "tsa-key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return ca
