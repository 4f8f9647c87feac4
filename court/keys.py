"""The folder of secrets (COURT_KEYS): the token by which the roles trust each other, and a TLS certificate for trials."""

from __future__ import annotations

import ipaddress
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TRIAL_DAYS = 90


def prepare_keys_folder(folder: Path) -> None:
    """Make the folder, readable by its owner only."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that nobody else can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def internal_token(folder: Path) -> str:
    """The bearer token between the roles of this installation, made at the first start."""
    path = folder / "internal-token"
    if not path.is_file():
        prepare_keys_folder(folder)
        write_secret(path, secrets.token_urlsafe(32).encode())
    return path.read_text(encoding="ascii").strip()


def trial_certificate(folder: Path, names: tuple[str, ...], now: datetime) -> tuple[Path, Path]:
    """A self-signed certificate for trials on a LAN, with its key; browsers ask once before they trust it.

    `names` are the host names and addresses it is made out to. A certificate that is there and has a week left is kept.
    """
    certificate_path, key_path = folder / "trial-cert.pem", folder / "trial-key.pem"
    if certificate_path.is_file() and key_path.is_file():
        present = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        if present.not_valid_after_utc > now + timedelta(days=7) and _names_of(present) >= set(names):
            return certificate_path, key_path
    prepare_keys_folder(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    write_secret(
        key_path,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    write_secret(certificate_path, _certificate(key, names, now).public_bytes(serialization.Encoding.PEM))
    return certificate_path, key_path


def _certificate(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...], now: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Remote Court trial")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=TRIAL_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_of(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}
