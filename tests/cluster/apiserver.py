"""A real API server on the machine's own loopback: etcd and kube-apiserver, with everything below one directory.

    pki/        the authority that server and clients are trusted by
    etcd/       the objects
    *.log       what both said

It costs four seconds and 350 MB. Nothing runs beside it: namespaces are not emptied, pods not scheduled.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.cluster.client import Client
from tests.cluster.pki import Authority, Certificate
from tests.vm import way
from tools.kubekit import kubekit

if TYPE_CHECKING:
    from types import TracebackType

CRDS = sorted(Path(__file__).parents[2].glob("conf/crds/*.yaml"))
PATIENCE = 100
"""Seconds until a server that does not answer is given up."""

ADMIN = "token-of-the-administrator"
SERVICE = "10.96.0.1"
"""Where pods are told that it is: the first address of the services' range."""
NAMES = f"IP:127.0.0.1,IP:::1,IP:{way.SERVER},IP:{SERVICE},DNS:localhost,DNS:kubernetes.default.svc"


@dataclass(frozen=True)
class Address:
    """Where a server is, and what it takes to talk to it."""

    url: str
    directory: Path

    @property
    def ca(self) -> Path:
        """What its certificate is trusted by."""
        return self.directory / "pki/ca.crt"

    @property
    def token(self) -> str:
        """The administrator's."""
        return ADMIN

    @property
    def certificate(self) -> Certificate:
        """Its own, for those who speak in its place."""
        return Certificate(self.directory / "pki/server.crt", self.directory / "pki/server.key")

    @cached_property
    def api(self) -> Client:
        """Requests as its administrator."""
        return Client(self.url, self.ca, self.token)

    def issue(self, directory: Path, user: str, *groups: str) -> Certificate:
        """A client's certificate, made in this directory."""
        organisations = "".join(f"/O={group}" for group in groups)
        return Authority(self.ca.parent).issue(directory, f"{organisations}/CN={user}")


class ApiServer:
    """Runs from `start` to `stop`, any number of times, on the same data."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._etcd_port, self._peer_port, port = free_ports(3)
        self.address = Address(f"https://127.0.0.1:{port}", directory)
        self._port = port
        self._running: list[subprocess.Popen[bytes]] = []

    @property
    def api(self) -> Client:
        """Requests as its administrator."""
        return self.address.api

    def __enter__(self) -> ApiServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.directory / "etcd", ignore_errors=True)  # hundreds of megabytes; the logs stay

    def start(self) -> None:
        """Return when it answers, and knows our resources."""
        new = not (self.directory / "etcd").exists()
        if new:
            self._prepare()
        kit = kubekit(building=False)
        try:
            self._run("etcd", kit.etcd, **self._etcd_options())
            self._run("kube-apiserver", kit.api_server, **self._api_options())
            self._wait("/readyz")
            if new:
                self._install()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it at once, whatever it does; what it has stored stays."""
        while self._running:
            process = self._running.pop()
            process.kill()
            process.wait()

    def pause(self) -> None:
        """Connections to it are accepted by the kernel from now on, and nothing more."""
        server = self._running[-1]
        server.send_signal(signal.SIGSTOP)
        while not all(_stands_still(task) for task in Path(f"/proc/{server.pid}/task").iterdir()):
            time.sleep(0.001)  # its threads stop one by one

    def resume(self) -> None:
        """Let it answer what came meanwhile."""
        self._running[-1].send_signal(signal.SIGCONT)

    def logs(self, characters: int = 4000) -> str:
        """The last words of both programs."""
        logs = sorted(self.directory.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-characters:]}" for log in logs)

    def memory(self) -> int:
        """Bytes of the machine's memory that both programs have."""
        pages = (Path(f"/proc/{process.pid}/statm").read_text().split()[1] for process in self._running)
        return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE")

    def _prepare(self) -> None:
        pki = self.address.ca.parent
        Authority(pki).issue(pki, "/CN=server", NAMES)
        (self.directory / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n')

    def _etcd_options(self) -> dict[str, object]:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, self._peer_port))
        return {
            "data_dir": self.directory / "etcd",
            "listen_client_urls": client,
            "advertise_client_urls": client,
            "listen_peer_urls": peer,
            "initial_advertise_peer_urls": peer,
            "initial_cluster": f"default={peer}",
            "unsafe_no_fsync": "true",
            "log_level": "warn",
        }

    def _api_options(self) -> dict[str, object]:
        own = self.address.certificate
        return {
            "etcd_servers": f"http://127.0.0.1:{self._etcd_port}",
            "bind_address": "127.0.0.1",
            "advertise_address": "127.0.0.1",
            "secure_port": self._port,
            "tls_cert_file": own.certificate,
            "tls_private_key_file": own.key,
            "client_ca_file": self.address.ca,
            "token_auth_file": self.directory / "tokens.csv",
            "authorization_mode": "Node,RBAC",
            "service_account_key_file": own.certificate,
            "service_account_signing_key_file": own.key,
            "service_account_issuer": "https://kubernetes.default.svc",
            "service_cluster_ip_range": "10.96.0.0/24",
            "disable_admission_plugins": "ServiceAccount",  # pods need no token here, which nobody would make
            "enable_admission_plugins": "NodeRestriction",
        }

    def _run(self, name: str, program: Path, **options: object) -> None:
        words = [f"--{option.replace('_', '-')}={value}" for option, value in options.items()]
        with (self.directory / f"{name}.log").open("ab") as log:
            # It ends with this process, however that ends.
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", str(program), *words],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._running.append(process)

    def _install(self) -> None:
        """Define our resources, and wait until they are served."""
        served = []
        for path in CRDS:
            definition = yaml.safe_load(path.read_text())
            self.api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).expect(201)
            spec: dict[str, Any] = definition["spec"]
            served.append(f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}")
        for collection in served:
            self._wait(collection)

    def _wait(self, path: str) -> None:
        """Until the server has this, or is known never to have it."""
        deadline = time.monotonic() + PATIENCE
        while not self._has(path):
            waiting = time.monotonic() < deadline and all(process.poll() is None for process in self._running)
            assert waiting, f"no API server; {path} is missing\n{self.logs()}"
            time.sleep(0.05)

    def _has(self, path: str) -> bool:
        try:
            return self.api.get(path, timeout=5).status == 200
        except OSError:
            return False


def free_ports(number: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody has; all different."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _stands_still(task: Path) -> bool:
    """Whether a thread is stopped."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0] == "T"
