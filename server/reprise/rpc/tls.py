"""A certificate authority for development, made once: it vouches for this server and nothing else.

Invariant: the keys are readable by the server's user alone, and the authority cannot vouch for other host
names.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_FILE = "ca.pem"
_HOSTS = ("localhost",)
_ADDRESSES = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
_CA_DAYS = 3650
_SERVER_DAYS = 800
_RENEWED_BEFORE_DAYS = 30


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """What a server shows, and the file that its clients are to trust."""

    key_pem: bytes
    chain_pem: bytes
    ca_path: Path


def development_certificate(folder: Path, now: datetime.datetime) -> ServerCertificate:
    """The certificate kept in `folder`; made anew where it is missing or near its end.

    Not for two servers at once.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_path, ca_key_path = folder / CA_FILE, folder / "ca.key"
    chain_path, key_path = folder / "server.pem", folder / "server.key"
    if not _is_good(ca_path, ca_key_path, now):
        ca, ca_key = _make_ca(now)
        _write(ca_key_path, _key_pem(ca_key))
        _write(ca_path, ca.public_bytes(serialization.Encoding.PEM))
        chain_path.unlink(missing_ok=True)
    if not _is_good(chain_path, key_path, now):
        ca = x509.load_pem_x509_certificate(ca_path.read_bytes())
        loaded = serialization.load_pem_private_key(ca_key_path.read_bytes(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{ca_key_path} holds no key that this server has made")
        certificate, key = _make_server(ca, loaded, now)
        _write(key_path, _key_pem(key))
        _write(chain_path, certificate.public_bytes(serialization.Encoding.PEM) + ca_path.read_bytes())
    return ServerCertificate(key_path.read_bytes(), chain_path.read_bytes(), ca_path)


def _is_good(certificate_path: Path, key_path: Path, now: datetime.datetime) -> bool:
    if not certificate_path.exists() or not key_path.exists():
        return False
    certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    key = serialization.load_pem_private_key(key_path.read_bytes(), None)
    # A crash between the two files leaves a key that is not the certificate's.
    is_pair = certificate.public_key() == key.public_key()
    return is_pair and certificate.not_valid_after_utc > now + datetime.timedelta(days=_RENEWED_BEFORE_DAYS)


def _make_ca(now: datetime.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    # The random part tells authorities of several data directories apart in one trust store.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Reprise development {secrets.token_hex(4)}")])
    permitted: list[x509.GeneralName] = [x509.DNSName(host) for host in _HOSTS]
    # No addresses among them: BoringSSL, which grpc is built with, rejects a certificate with that kind.
    certificate = (
        _builder(name, name, key.public_key(), now, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True
        )
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _make_server(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, now: datetime.datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in _HOSTS]
    names += [x509.IPAddress(address) for address in _ADDRESSES]
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Reprise development server")])
    certificate = (
        _builder(subject, ca.subject, key.public_key(), now, _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    return certificate, key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        # Clocks of containers on one host may differ a little.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    scratch = path.with_suffix(path.suffix + ".new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
