"""A connection to an API server: name, TCP and TLS, each bounded in time; it knows nothing of HTTP.

It stands on the C halves of `socket` and `ssl`, which themselves cost 25 ms to import. What `ssl` does for clients its
C half does by itself: certificates and names are checked unless that is switched off here.
"""

from __future__ import annotations

import os

from cni_multus.cni.errors import InvalidNetworkConfig, IoFailure
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.errors import NotTrusted, Unreachable
from cni_multus.state.files import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from _ssl import _SSLContext
    from collections.abc import Iterable
    from typing import Protocol

    from cni_multus.kube.credentials import Access

    Place = tuple[int, tuple[object, ...]]
    """An address family, and an address as the socket takes it."""

    class Tls(Protocol):
        """What `_ssl` makes of a socket (its `_SSLSocket`)."""

        def do_handshake(self) -> None: ...
        def pending(self) -> int: ...
        def read(self, size: int, /) -> bytes: ...
        def write(self, data: memoryview, /) -> int: ...


CONNECT = 4.0
"""Seconds for finding the address of a name, and as many for reaching one: where nothing answers, that is all."""
HANDSHAKE = 10.0
"""Seconds for agreeing on TLS: a server that is reached may be busy."""

CHUNK = 1 << 16
_TLS_1_2 = 0x0303
_PARTIAL_CHAIN = 0x80000
"""An intermediate authority vouches for the server too, as it does for clients in Go (X509_V_FLAG_PARTIAL_CHAIN)."""
_SYSTEM_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where distributions have theirs (the list of Go's crypto/x509)."""


class Connection:
    """An open connection. Reading and writing raise OSError, TimeoutError among them, TLS's own errors too."""

    __slots__ = ("_socket", "_tls")

    def __init__(self, access: Access, deadline: Deadline) -> None:
        """Raises Unreachable, NotTrusted, TimeoutError where TLS takes too long, or what is wrong with the files."""
        context = _context(access) if access.secure else None
        self._socket = _reach(access, deadline)
        self._tls: Tls | None = None
        try:
            if context is not None:
                self._tls = self._shake_hands(context, access, Deadline(min(HANDSHAKE, deadline.left())))
        except BaseException:
            self._socket.close()
            raise

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send everything."""
        left = memoryview(data)
        while left:
            self._be_done_by(deadline)
            left = left[(self._tls.write(left) if self._tls else self._socket.send(left)) :]

    def receive(self, deadline: Deadline) -> bytes:
        """What there is, at least one byte; none where the other end is finished."""
        self._be_done_by(deadline)
        return self._tls.read(CHUNK) if self._tls else self._socket.recv(CHUNK)

    @property
    def descriptor(self) -> int:
        """The socket's."""
        return self._socket.fileno()

    def is_quiet(self) -> bool:
        """Whether nothing came that nobody asked for, such as the other end's goodbye."""
        from select import POLLIN, poll

        if self._tls and self._tls.pending():
            return False
        poller = poll()
        poller.register(self._socket.fileno(), POLLIN)
        return not poller.poll(0)

    def close(self) -> None:
        """Without a goodbye: the other end sees that the connection is gone."""
        self._socket.close()

    def _be_done_by(self, deadline: Deadline) -> None:
        left = deadline.left()
        if not left:
            raise TimeoutError("no answer in time")
        self._socket.settimeout(left)

    def _shake_hands(self, context: _SSLContext, access: Access, deadline: Deadline) -> Tls:
        from _ssl import SSLCertVerificationError, SSLEOFError, SSLError, SSLZeroReturnError

        name = access.server_name or access.host.partition("%")[0]
        self._be_done_by(deadline)
        try:
            tls: Tls = context._wrap_socket(self._socket, False, name)  # type: ignore[attr-defined]  # noqa: SLF001
            tls.do_handshake()
        except SSLCertVerificationError as error:
            raise NotTrusted(
                f"the API server {access.server} is not trusted: {error.verify_message}",
                f"the authority and the name that it is held against are from {access.source}",
            ) from error
        except (SSLEOFError, SSLZeroReturnError) as error:
            raise ConnectionResetError("the server closed it") from error
        except SSLError as error:
            said = (error.reason or str(error)).replace("_", " ").lower()
            raise NotTrusted(f"the API server {access.server} does not speak TLS as we do: {said}") from error
        return tls


def _reach(access: Access, deadline: Deadline) -> socket:
    from _socket import IPPROTO_TCP, SOCK_STREAM, TCP_NODELAY, socket

    class Socket(socket):
        """TLS refers to it weakly, which the C class does not allow."""

        __slots__ = ("__weakref__",)

    addresses = _addresses(access, Deadline(min(CONNECT, deadline.left())))
    patience = Deadline(min(CONNECT, deadline.left()))
    last: OSError = TimeoutError()
    for at, (family, where) in enumerate(addresses):
        connection = Socket(family, SOCK_STREAM)
        try:
            connection.settimeout(max(0.01, patience.left() / (len(addresses) - at)))
            connection.connect(where)
            connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        except OSError as error:
            connection.close()
            last = error
        else:
            return connection
    is_slow = isinstance(last, TimeoutError)
    why = f"no answer within {patience.seconds:.0f} s" if is_slow else (last.strerror or str(last)).lower()
    raise Unreachable(f"not reachable: {why}") from last


def _addresses(access: Access, deadline: Deadline) -> list[Place]:
    """Of the host; a name is looked up beside us, because the C library takes its time and cannot be stopped."""
    from _socket import AI_NUMERICHOST, SOCK_STREAM, gaierror, getaddrinfo
    from _thread import allocate_lock, start_new_thread

    host = access.host.encode()  # text would be taken for an international name, whose codec costs 10 ms
    try:
        return _places(getaddrinfo(host, access.port, 0, SOCK_STREAM, 0, AI_NUMERICHOST))
    except gaierror:
        pass
    found: list[Place] = []
    failures = ["no answer in time"]
    ended = allocate_lock()
    ended.acquire()

    def look_up() -> None:
        try:
            found.extend(_places(getaddrinfo(host, access.port, 0, SOCK_STREAM)))
        except OSError as error:
            failures.append((error.strerror or str(error)).lower())
        finally:
            ended.release()

    start_new_thread(look_up, ())
    ended.acquire(timeout=deadline.left())
    if not found:
        raise Unreachable(f"cannot look up the name: {failures[-1]}")
    return found


def _places(infos: Iterable[tuple[int, int, int, str, tuple[object, ...]]]) -> list[Place]:
    return [(info[0], info[4]) for info in infos]


def _context(access: Access) -> _SSLContext:
    from _ssl import CERT_NONE, PROTOCOL_TLS_CLIENT, SSLError, _SSLContext

    context = _SSLContext(PROTOCOL_TLS_CLIENT)
    context.minimum_version = _TLS_1_2
    try:
        if access.insecure:
            context.check_hostname = False
            context.verify_mode = CERT_NONE
        elif access.authority:
            context.verify_flags |= _PARTIAL_CHAIN
            context.load_verify_locations(None, None, access.authority.decode("ascii", "ignore"))
        else:
            _trust_system(context)
    except SSLError as error:
        raise InvalidNetworkConfig(
            f"{access.source}: the certificate authority is not a certificate in PEM form"
        ) from error
    except OSError as error:
        raise failure(error, "read the system's certificate authorities") from error
    if access.certificate:
        _introduce(context, access)
    return context


def _trust_system(context: _SSLContext) -> None:
    path = next(filter(os.path.exists, _SYSTEM_AUTHORITIES), "")
    if not path:
        raise IoFailure("the kubeconfig names no certificate authority, and the system has none in the usual places")
    context.load_verify_locations(path)


def _introduce(context: _SSLContext, access: Access) -> None:
    """Give TLS our certificate. OpenSSL reads files only: this one is in memory, and no other process sees it."""
    fd = os.memfd_create("credentials")
    try:
        data = access.certificate + b"\n" + access.key
        while data:
            data = data[os.write(fd, data) :]
        # A password that is wrong is better than OpenSSL asking for one on the terminal.
        context.load_cert_chain(f"/proc/self/fd/{fd}", None, "")
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or "unusable"
        raise InvalidNetworkConfig(
            f"{access.source}: the client certificate and its key are not a pair in PEM form without a password: "
            + str(reason).replace("_", " ").lower()
        ) from error
    finally:
        os.close(fd)
