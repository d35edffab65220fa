"""Certificates for a server that lives as long as the tests, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

CONFIG = "[req]\ndistinguished_name = subject\n[subject]\n"
NEW = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "7")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Who vouches for certificates; its own is in `<directory>/ca.crt`, and made if it is not there."""

    def __init__(self, directory: Path, name: str = "tests") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.ca = directory / "ca.crt"
        self._key = directory / "ca.key"
        if not self.ca.exists():
            self._make(
                Certificate(self.ca, self._key),
                f"/CN={name}",
                ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"],
            )

    def issue(self, directory: Path, subject: str, names: str = "") -> Certificate:
        """A certificate for a client, or a server with these names ("IP:127.0.0.1,DNS:localhost")."""
        name = subject.rpartition("CN=")[2]
        made = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
        extensions = ["basicConstraints=CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"]
        extensions += [f"subjectAltName={names}"] if names else []
        self._make(made, subject, extensions, "-CA", str(self.ca), "-CAkey", str(self._key))
        return made

    def _make(self, made: Certificate, subject: str, extensions: list[str], *issuer: str) -> None:
        files = ["-keyout", str(made.key), "-out", str(made.certificate)]
        added = [word for extension in extensions for word in ("-addext", extension)]
        command = [*NEW, "-config", "/dev/stdin", "-subj", subject, *files, *added, *issuer]
        subprocess.run(command, input=CONFIG, text=True, check=True, capture_output=True)
