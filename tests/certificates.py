"""Certificates for tests, made anew for each run."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What one side shows of itself: a certificate and its key, as PEM files."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates; `ca_file` is what others need to trust them.

    Args:
        folder: Where files go.
        name: Keeps the files of several apart.
    """

    def __init__(self, folder: Path, name: str = "ours") -> None:
        self._folder, self._name, self._ca = folder, name, trustme.CA()
        self.ca_file = folder / f"{name}-ca.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    def server(self, name: str = "localhost", *, asks: bool = False) -> ssl.SSLContext:
        """The server's side, for this name; `asks` for a certificate of the client."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(name).configure_cert(context)
        if asks:
            self._ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, name: str = "client", *, password: str | None = None) -> Shown:
        """A client's certificate, its key closed by a password if one is given."""
        made = self._ca.issue_cert(f"{name}.test")
        shown = Shown(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        made.cert_chain_pems[0].write_to_path(shown.cert)
        key = made.private_key_pem.bytes()
        if password is not None:
            key = load_pem_private_key(key, None).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode())
            )
        shown.key.write_bytes(key)
        return shown
