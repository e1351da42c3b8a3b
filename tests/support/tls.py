"""Certificates for tests, and clients that use them."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme

from tests.support.resp import Client


@dataclass(frozen=True)
class Certificates:
    """Files of one authority: its own, and a certificate with key for server and client."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def issue(cls, folder: Path) -> Self:
        """Make an authority and what it signs, in files of ``folder``."""
        files = cls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
        authority = trustme.CA()
        pair = authority.issue_cert("localhost", "127.0.0.1")
        authority.cert_pem.write_to_path(files.authority)
        files.certificate.write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
        pair.private_key_pem.write_to_path(files.key)
        return files

    def settings(self, port: int, auth_clients: str = "no") -> dict[str, str]:
        """What a server with these certificates is told."""
        return {
            "tls-port": str(port),
            "tls-cert-file": str(self.certificate),
            "tls-key-file": str(self.key),
            "tls-ca-cert-file": str(self.authority),
            "tls-auth-clients": auth_clients,
        }

    def connect(
        self, port: int, protocol: int = 2, own: bool = False, timeout: float = 5.0
    ) -> Client:
        """An encrypted connection; with ``own``, the client shows a certificate too."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if own:
            context.load_cert_chain(self.certificate, self.key)
        plain = socket.create_connection(("127.0.0.1", port), timeout)
        return Client(context.wrap_socket(plain, server_hostname="localhost"), protocol)
