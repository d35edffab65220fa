"""A way from a network namespace to the real API server, which can be slow, break, or be closed.

It speaks TLS with the server's own certificate on one side, and to the server on the other, so that it sees every
request, and can do something to a chosen one. The server that answers is the real one.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from tests.cluster.disturbances import Disturbance
from tests.cluster.messages import Call, Lost, answered, read_answer, read_request
from tests.conftest import entered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from tests.cluster.apiserver import Address

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what is unsent is dropped, and the other side told so


class Road:
    """Listens on 127.0.0.1 of a namespace, in threads of this process."""

    def __init__(self, address: Address, namespace: str = "/proc/thread-self/ns/net", *, raw: bool = False) -> None:
        self.delay_request = 0.0
        self.delay_answer = 0.0
        self.calls: list[Call] = []
        self.disturbances: list[Disturbance] = []
        self._address = address
        self._namespace = namespace
        self._raw = raw
        self._port = 0
        self._listener: socket.socket | None = None
        self._travellers: set[Traveller] = set()
        self._lock = threading.Lock()
        self._inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._inside.load_cert_chain(address.certificate.certificate, address.certificate.key)
        self._outside = ssl.create_default_context(cafile=address.ca)
        self.open()

    @property
    def url(self) -> str:
        """What clients in the namespace call the server."""
        return f"https://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Listen, on the same port as before."""
        with entered(self._namespace):
            listener = socket.create_server(("127.0.0.1", self._port), backlog=512)
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=[listener], daemon=True).start()

    def close(self) -> None:
        """Refuse connections, and reset those that there are."""
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which closes it
            self._listener = None
        self.cut()

    def cut(self) -> None:
        """Reset all connections that there are now, and wait until they are."""
        with self._lock:
            travellers = list(self._travellers)
        for traveller in travellers:
            traveller.stop()
        for traveller in travellers:
            traveller.thread.join()

    def disturb(self, method: str = "", path: str = "", **what: Any) -> Disturbance:
        """Do something to the next request that has this method, and this in its path."""
        disturbance = Disturbance(method, path, **what)
        with self._lock:
            self.disturbances.append(disturbance)
        return disturbance

    def count(self, method: str = "", path: str = "") -> int:
        """How many requests there were so far, of this kind."""
        return sum(call.is_a(method, path) for call in list(self.calls))

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                traveller = Traveller(connection)
                with self._lock:
                    self._travellers.add(traveller)
                traveller.thread = threading.Thread(target=self._serve, args=[traveller], daemon=True)
                traveller.thread.start()

    def _serve(self, traveller: Traveller) -> None:
        try:
            with traveller.going():
                if self._raw:
                    self._pass_bytes(traveller)
                else:
                    self._pass_requests(traveller)
        finally:
            with self._lock:
                self._travellers.discard(traveller)

    def _pass_requests(self, traveller: Traveller) -> None:
        client = traveller.secure(traveller.accepted, self._inside, server_side=True)
        server: socket.socket | None = None
        requests = traveller.reading(client)
        answers: IO[bytes] | None = None
        while call := read_request(requests):
            self.calls.append(call)
            disturbance = self._disturbance(call)
            begun = time.monotonic()
            traveller.wait(self.delay_request + (disturbance.delay if disturbance else 0))
            if disturbance and disturbance.before:
                disturbance.before(call)
            if disturbance and disturbance.cut:
                raise Lost
            if disturbance and disturbance.answer:
                client.sendall(answered(*disturbance.answer))
                continue
            if server is None or answers is None:
                server = traveller.secure(self._connect(), self._outside, server_hostname="127.0.0.1")
                answers = traveller.reading(server)
            server.sendall(call.raw)
            call.status, pieces = read_answer(answers, call.method)
            self._answer(traveller, client, pieces, disturbance)
            call.seconds = time.monotonic() - begun

    def _answer(
        self, traveller: Traveller, client: socket.socket, pieces: Iterator[bytes], disturbance: Disturbance | None
    ) -> None:
        traveller.wait(self.delay_answer)
        if disturbance and disturbance.lose:
            for _ in pieces:  # the server has done it all
                pass
            raise Lost
        client.sendall(next(pieces))
        left = disturbance.truncate if disturbance else None
        for piece in pieces:
            client.sendall(piece[:left])
            if left is not None and (left := left - len(piece)) <= 0:
                raise EOFError

    def _pass_bytes(self, traveller: Traveller) -> None:
        client = traveller.accepted
        server = self._connect()
        traveller.take(server)
        back = threading.Thread(target=self._pump, args=[traveller, server, client, "delay_answer"], daemon=True)
        back.start()
        self._pump(traveller, client, server, "delay_request")
        back.join()

    def _pump(self, traveller: Traveller, source: socket.socket, target: socket.socket, delay: str) -> None:
        try:
            while data := source.recv(1 << 16):
                traveller.wait(getattr(self, delay))
                target.sendall(data)
            traveller.check()
            target.shutdown(socket.SHUT_WR)
        except (OSError, Lost):
            traveller.stop()

    def _connect(self) -> socket.socket:
        host, _, port = self._address.url.removeprefix("https://").rpartition(":")
        return socket.create_connection((host, int(port)))

    def _disturbance(self, call: Call) -> Disturbance | None:
        with self._lock:
            return next((each for each in self.disturbances if each.wants(call)), None)


class Traveller:
    """One connection, from a client to the server."""

    def __init__(self, accepted: socket.socket) -> None:
        self.accepted = accepted
        self.thread = threading.current_thread()
        self._stopped = threading.Event()
        self._sockets = [accepted]
        self._open = ExitStack()

    @contextmanager
    def going(self) -> Iterator[None]:
        """Until somebody ends it; then everything is closed, and the client's side reset where it is to be."""
        reset = False
        try:
            yield
        except Lost:
            reset = True
        except (OSError, EOFError):
            pass
        finally:
            if reset or self._stopped.is_set():
                self._sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._open.close()
            for each in self._sockets:
                each.close()

    def take(self, opened: socket.socket) -> None:
        """Let this end with the rest."""
        self._sockets.append(opened)
        self.check()

    def secure(self, opened: socket.socket, context: ssl.SSLContext, **options: Any) -> ssl.SSLSocket:
        """TLS on a connection, in whose place it ends with the rest."""
        secured = context.wrap_socket(opened, do_handshake_on_connect=False, **options)
        self._sockets = [each for each in self._sockets if each is not opened]
        self.take(secured)
        secured.do_handshake()
        return secured

    def reading(self, opened: socket.socket) -> IO[bytes]:
        """A file to read lines from."""
        return self._open.enter_context(opened.makefile("rb"))

    def wait(self, seconds: float) -> None:
        """Let time pass, but not when this has to end."""
        if seconds and self._stopped.wait(seconds):
            raise Lost

    def check(self) -> None:
        """Tell an end that somebody has made from one that came by itself."""
        if self._stopped.is_set():
            raise Lost

    def stop(self) -> None:
        """Wake the thread, which then finds its connections ended; the other sides see nothing of that yet."""
        self._stopped.set()
        for each in self._sockets:
            try:
                socket.socket.shutdown(each, socket.SHUT_RD)
            except OSError:
                pass
