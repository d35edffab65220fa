"""Where the API server is, and who we are there; the service account of a pod. Secrets stand in no message.

A token's file is read when a request begins, and again when the server does not take the token any more.
"""

from __future__ import annotations

import os
from errno import EISDIR

from cni_multus.cni.errors import CniError, InvalidEnvironment, InvalidNetworkConfig, IoFailure, TryAgainLater
from cni_multus.state.files import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where the kubelet puts the token, the CA and the namespace of a pod's account."""

LARGEST = 1 << 20
"""The most bytes that a file of credentials may have."""

_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:%")


class Access:
    """An API server's address and the credentials for it; made by `load_kubeconfig` or `in_cluster`."""

    __slots__ = (
        "_again",
        "authority",
        "certificate",
        "expires",
        "host",
        "insecure",
        "key",
        "namespace",
        "port",
        "prefix",
        "secure",
        "server",
        "server_name",
        "source",
        "token",
        "token_file",
    )

    def __init__(self, source: str, server: str, again: Callable[[], Access]) -> None:
        self.source = source
        """The file or directory that all this is from."""
        self.server = server
        self.namespace = ""
        """That of the context or of the account; empty where none is said."""
        self.authority = b""
        """The certificates that vouch for the server (PEM); none means the system's."""
        self.insecure = False
        self.server_name = ""
        """The name in the server's certificate, where it is not the host's."""
        self.certificate = b""
        self.key = b""
        """Ours (PEM)."""
        self.token = ""
        self.token_file = ""
        self.expires = 0.0
        """Seconds since 1970 from which on they have to be read again, where that is known."""
        self._again = again
        self.secure, self.host, self.port, self.prefix = _parts(server)

    def read_again(self) -> Access:
        """The same from the same place, for when the server does not take these credentials any more."""
        return self._again()

    def bearer(self) -> str:
        """The token as it is now: the file's where one is named and readable, else the one that was given.

        Raises InvalidNetworkConfig where others on its way would read it.
        """
        if (self.token or self.token_file) and not (self.secure or _is_loopback(self.host)):
            raise InvalidNetworkConfig(
                f"{self.source}: the server {self.server} would be told the token in clear text",
                "http:// is for a server on this host (127.0.0.1, ::1, localhost); any other needs https://",
            )
        if not self.token_file:
            return self.token
        try:
            return clean_token(read(self.token_file), self.token_file)
        except CniError:
            if self.token:
                return self.token
            raise


def in_cluster(environment: Mapping[str, str], directory: str = SERVICE_ACCOUNT) -> Access:
    """The API server and the account of the pod that we run in, by the kubelet's variables and files."""
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise InvalidEnvironment(
            "no API server is known: no kubeconfig is configured, and KUBERNETES_SERVICE_HOST and "
            "KUBERNETES_SERVICE_PORT, which the kubelet sets in a pod, are not there"
        )
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    try:
        access = Access(directory, server, lambda: in_cluster(environment, directory))
    except ValueError as error:
        raise InvalidEnvironment(f"KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT: {error}") from None
    access.authority = read(f"{directory}/ca.crt")
    access.token_file = f"{directory}/token"
    try:
        access.namespace = read(f"{directory}/namespace").decode("ascii", "replace").strip()
    except IoFailure:
        access.namespace = ""
    return access


def read(path: str) -> bytes:
    """A file of credentials, symbolic links followed (the kubelet's are such); raises IoFailure."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            data = b""
            while len(data) <= LARGEST and (more := os.read(fd, LARGEST)):
                data += more
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno == EISDIR:
            raise IoFailure(f"cannot read {path}: it is a directory") from error
        raise failure(error, f"read {path}") from error
    except ValueError:
        raise IoFailure(f"cannot read {path[:200]!r}: that is no path") from None
    if len(data) > LARGEST:
        raise IoFailure(f"cannot read {path}: it is larger than {LARGEST >> 20} MiB")
    return data


def clean_token(data: bytes, where: str) -> str:
    """A bearer token without the newline at its end; the error names `where`, and does not show it."""
    token = data.strip()
    if not token:
        raise TryAgainLater(f"{where}: the token is empty; it may be about to be written")
    if any(not 0x21 <= byte <= 0x7E for byte in token):
        raise InvalidNetworkConfig(f"{where}: the token has characters that no token has, or is more than one")
    return token.decode()


def _is_loopback(host: str) -> bool:
    """Whether what is sent there stays on the host."""
    parts = host.split(".")
    is_v4 = len(parts) == 4 and parts[0] == "127" and all(part.isdigit() for part in parts)
    return is_v4 or host.lower() in ("localhost", "::1")


def _parts(server: str) -> tuple[bool, str, int, str]:
    """Whether TLS is spoken, the host, the port and the path that everything is below; raises ValueError."""
    if "@" in server:
        raise ValueError("a user name or a password in the server's URL is not used")
    scheme, found, rest = server.partition("://")
    if not found or scheme.lower() not in {"http", "https"}:
        raise ValueError(f"{server[:200]!r} is not a URL with https:// (or http://) in front")
    where, slash, prefix = rest.partition("/")
    prefix = (slash + prefix).rstrip("/")
    host, port = _host_and_port(where, server)
    if any(not "!" <= mark <= "~" or mark in "?#" for mark in prefix):
        raise ValueError(f"{server[:200]!r} has something in its path that is no path")
    secure = scheme.lower() == "https"
    return secure, host, port or (443 if secure else 80), prefix


def _host_and_port(where: str, server: str) -> tuple[str, int]:
    if where.startswith("["):
        host, _, rest = where[1:].partition("]")
        port = rest[1:]
        if rest and not rest.startswith(":"):
            raise ValueError(f"{server[:200]!r} has something behind its bracket that is no port")
    else:
        host, _, port = where.partition(":")
        if ":" in port:
            raise ValueError(f"{server[:200]!r} has a port that is no number, or an IPv6 address without brackets")
    if not host or any(mark not in _HOST for mark in host):
        raise ValueError(f"{server[:200]!r} names no host")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[:9]) < 1 << 16):
        raise ValueError(f"{server[:200]!r}: the port is not a number from 1 to 65535")
    return host, int(port or 0)
