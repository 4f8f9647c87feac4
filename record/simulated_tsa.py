"""A simulator of a time stamp authority (模拟时间戳): tokens of the right form that prove no time, and say so.

Its certificate is made by itself in the folder of secrets, its policy is verify.SIMULATED_POLICY, its name says 模拟. For trials
without a real authority (可信时间戳服务机构); the verifier and the record page name such stamps for what they are.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hearing.timeline import Clock
from record.verify import SIMULATED_POLICY, der, der_integer
from storage.clock import SystemClock
from storage.durable import write_secret_once

AUTHORITY = "模拟时间戳（演示）"
FILE = "simulated-tsa.pem"  # certificate and key: of no value to anybody
_YEARS = 30
_SEQUENCE, _SET, _OCTETS, _OID, _NULL, _TIME = 0x30, 0x31, 0x04, 0x06, b"\x05\x00", 0x18
_EXPLICIT = 0xA0
_CLOCK = SystemClock()


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = b""
    for arc in (40 * first + second, *rest):
        septets = [arc & 127]
        while arc := arc >> 7:
            septets.append(arc & 127 | 128)
        out += bytes(reversed(septets))
    return der(_OID, out)


_SHA256 = der(_SEQUENCE, _oid("2.16.840.1.101.3.4.2.1") + _NULL)
_ECDSA_SHA256 = der(_SEQUENCE, _oid("1.2.840.10045.4.3.2"))
_SIGNED_DATA, _TST_INFO = _oid("1.2.840.113549.1.7.2"), _oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE, _MESSAGE_DIGEST = _oid("1.2.840.113549.1.9.3"), _oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = _oid("1.2.840.113549.1.9.16.2.47")  # RFC 5816: the token names its signer's certificate


class SimulatedTimeStamper:
    """The port timestamps.TimeStamper without an authority."""

    authority = AUTHORITY
    simulated = True

    def __init__(self, folder: Path, clock: Clock = _CLOCK) -> None:
        self._clock = clock
        self._key, self._certificate = _identity(folder, clock.now())

    @property
    def certificate_pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    async def stamp(self, data: bytes) -> bytes:
        """The token (RFC 3161 section 2.4.2) over SHA-256 of `data`."""
        return self.token(data)

    def token(self, data: bytes) -> bytes:
        certificate = self._certificate.public_bytes(serialization.Encoding.DER)
        info = self._info(hashlib.sha256(data).digest())
        attributes = _attributes(info, certificate)
        signature = self._key.sign(der(_SET, attributes), ec.ECDSA(hashes.SHA256()))
        issuer = self._certificate.issuer.public_bytes() + der_integer(self._certificate.serial_number)
        signer = der_integer(1) + der(_SEQUENCE, issuer) + _SHA256 + der(_EXPLICIT, attributes)
        signer += _ECDSA_SHA256 + der(_OCTETS, signature)
        content = der(_SEQUENCE, _TST_INFO + der(_EXPLICIT, der(_OCTETS, info)))
        signed = der_integer(3) + der(_SET, _SHA256) + content + der(_EXPLICIT, certificate) + der(_SET, der(_SEQUENCE, signer))
        return der(_SEQUENCE, _SIGNED_DATA + der(_EXPLICIT, der(_SEQUENCE, signed)))

    def _info(self, digest: bytes) -> bytes:
        """TSTInfo."""
        at = self._clock.now().astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()
        imprint = der(_SEQUENCE, _SHA256 + der(_OCTETS, digest))
        name = der(_EXPLICIT, der(0xA4, self._certificate.subject.public_bytes()))
        serial = der_integer(secrets.randbits(63))
        return der(_SEQUENCE, der_integer(1) + _oid(SIMULATED_POLICY) + imprint + serial + der(_TIME, at) + name)


def _attributes(info: bytes, certificate: bytes) -> bytes:
    """Signed attributes in DER order, without their SET."""
    ess = der(_SEQUENCE, der(_SEQUENCE, der(_SEQUENCE, der(_OCTETS, hashlib.sha256(certificate).digest()))))
    pairs = (
        (_CONTENT_TYPE, _TST_INFO),
        (_MESSAGE_DIGEST, der(_OCTETS, hashlib.sha256(info).digest())),
        (_SIGNING_CERTIFICATE_V2, ess),
    )
    return b"".join(sorted(der(_SEQUENCE, kind + der(_SET, value)) for kind, value in pairs))


def _identity(folder: Path, now: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Key and self-signed certificate, made once."""
    path = folder / FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_secret_once(path, pem + _certificate(made, now).public_bytes(serialization.Encoding.PEM))
    content = path.read_bytes()
    key = serialization.load_pem_private_key(content, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{FILE} holds no key of the simulator")
    return key, x509.load_pem_x509_certificate(content)


def _certificate(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY)])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(usage, critical=True)  # RFC 3161 section 2.3: alone and critical
        .sign(key, hashes.SHA256())
    )
