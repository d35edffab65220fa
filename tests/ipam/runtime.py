"""IPAMs called as a runtime calls them: environment and streams, in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cni_multus.cni.conversation import hold
from cni_multus.cni.request import VALID_ATTACHMENTS
from cni_multus.registry import load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cni_multus.cni.verbs import Plugin

ROOT = Path(__file__).parents[2]

ENTRY = """
import os, sys
from cni_multus.cni.conversation import hold
from cni_multus.registry import load
streams = sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer
os._exit(hold(lambda: load(sys.argv[1]), os.environ, *streams))
"""

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Answer:
    """What a call printed, and how it ended."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document

    def succeeded(self) -> Answer:
        """The answer itself, which must be no error."""
        assert self.status == 0, self.stdout.decode() + self.stderr.decode()
        assert self.stderr == b""
        return self

    def failed(self, code: int, *words: str) -> str:
        """The message of the error, which must have this code and contain these words."""
        assert self.status == 1, (self.status, self.stdout, self.stderr)
        told = self.document
        assert told["code"] == code, told
        for word in words:
            assert word in told["msg"] + told.get("details", ""), told
        return str(told["msg"])

    @property
    def ips(self) -> list[str]:
        """The addresses, with their prefix lengths."""
        return [ip["address"] for ip in self.succeeded().document["ips"]]

    @property
    def ip(self) -> str:
        """The one address, without its prefix length."""
        (address,) = self.ips
        return address.partition("/")[0]


@dataclass
class Ipam:
    """One IPAM plugin with its configuration, and the directory of its reservations."""

    kind: str
    data_dir: Path
    config: dict[str, Any]
    before: Sequence[str] = ()
    """What a process of its own is run with: a tracer, another mount namespace."""

    def changed(self, **ipam: object) -> Ipam:
        """The same with other keys in `ipam`."""
        return self.with_keys(ipam={**self.config["ipam"], **ipam})

    def with_keys(self, **keys: object) -> Ipam:
        """The same with other keys beside `ipam`."""
        return replace(self, config={**self.config, **keys})

    @property
    def network(self) -> Path:
        """The directory of the network's address files."""
        return self.data_dir / str(self.config["name"])

    def addresses(self) -> dict[str, str]:
        """The address files by name, and what they hold."""
        names = sorted(os.listdir(self.network)) if self.network.exists() else []
        return {name: (self.network / name).read_bytes().decode() for name in names if is_address(name)}

    def environment(self, command: str, container: str, ifname: str, netns: str, arguments: str) -> dict[str, str]:
        variables = {"PATH": PATH, "CNI_COMMAND": command, "CNI_PATH": "/nonexistent", "CNI_ARGS": arguments}
        if command in ("ADD", "DEL", "CHECK"):
            variables |= {"CNI_CONTAINERID": container, "CNI_IFNAME": ifname, "CNI_NETNS": netns}
        return variables

    def call(
        self,
        command: str,
        container: str = "dummy",
        ifname: str = "eth0",
        *,
        netns: str = "/some/where",
        arguments: str = "",
        **keys: object,
    ) -> Answer:
        """One call in this process."""
        stdin, stdout, stderr = BytesIO(json.dumps({**self.config, **keys}).encode()), BytesIO(), BytesIO()

        def plugin() -> Plugin:
            found = load(self.kind)
            assert found is not None
            return found

        environment = self.environment(command, container, ifname, netns, arguments)
        status = hold(plugin, environment, stdin, stdout, stderr)
        return Answer(status, stdout.getvalue(), stderr.getvalue())

    def run(self, command: str, container: str = "dummy", ifname: str = "eth0", *before: str, **keys: object) -> Answer:
        """One call in a process of its own."""
        environment = self.environment(command, container, ifname, "/some/where", "")
        result = subprocess.run(
            [*self.before, *before, sys.executable, "-B", "-c", ENTRY, self.kind],
            env={**environment, "PYTHONPATH": str(ROOT)},
            input=json.dumps({**self.config, **keys}).encode(),
            capture_output=True,
            check=False,
        )
        return Answer(result.returncode, result.stdout, result.stderr)

    def add(self, container: str = "dummy", ifname: str = "eth0", **keys: Any) -> Answer:
        return self.call("ADD", container, ifname, **keys)

    def delete(self, container: str = "dummy", ifname: str = "eth0", **keys: Any) -> Answer:
        return self.call("DEL", container, ifname, **keys)

    def check(self, added: Answer, container: str = "dummy", ifname: str = "eth0", **keys: Any) -> Answer:
        return self.call("CHECK", container, ifname, prevResult=added.document, **keys)

    def collect(self, *valid: tuple[str, str]) -> Answer:
        """GC with these attachments valid."""
        members = [{"containerID": container, "ifname": ifname} for container, ifname in valid]
        return self.with_keys(**{VALID_ATTACHMENTS: members}).call("GC")


def is_address(name: str) -> bool:
    """Whether a file's name is an address's."""
    return name[0].isdigit() or ":" in name


def leftovers(data_dir: Path) -> list[str]:
    """Temporary files that somebody did not take away."""
    return [str(path) for path in data_dir.rglob(".multus-*")]


def in_processes(count: int, work: Callable[[int], None]) -> None:
    """Run `work(n)` in so many processes at once; fails where one of them does."""
    children = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            try:
                work(number)
            except BaseException:  # noqa: BLE001 - a child must end here, whatever happens
                traceback.print_exc(file=sys.stderr)
                os._exit(1)
            os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * count
