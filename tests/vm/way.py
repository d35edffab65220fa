"""The way from the virtual machine to the test run's API server, which may come to be while the machine boots.

qemu lets the machine reach nothing but one address. For each connection to it a program is started on the host, which
looks where the server is by then.

    <share>/api-server/pki/     who is trusted, as the server has it
    <share>/api-server/ready    empty where the server is there; else why it is not
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from tests.vm.initrd import INSIDE, SHARE

if TYPE_CHECKING:
    from tests.cluster.apiserver import Address
    from tools.vmkit import Kit

SERVER, PORT = "10.0.2.100", 6443
"""What the machine calls the server."""

OWN = "10.0.2.15/24"
CARDS_ADDRESS = "52:54:00:00:01:00"
PATIENCE = 150
"""Seconds until the machine gives the server up."""

SHARED = "api-server"

# Where nobody has opened the way, the connection ends at once.
LEAD = 'read -r port <{port} && exec {busybox} nc 127.0.0.1 "$port"\n'


class Way:
    """The host's end; its files are in `root`, and in the `share` of the machine."""

    def __init__(self, kit: Kit, root: Path, share: Path) -> None:
        self._port = root / "port-of-the-server"
        self._lead = root / "lead"
        self._lead.write_text(LEAD.format(port=quote(str(self._port)), busybox=quote(str(kit.busybox))))
        self._shared = share / SHARED

    @property
    def words(self) -> list[str]:
        """The card of which the machine has it, for qemu's command line; the driver is loaded by whoever wants it."""
        forward = f"guestfwd=tcp:{SERVER}:{PORT}-cmd:/bin/sh {quote(str(self._lead))}"
        card = f"virtio-net-pci,netdev=way,mac={CARDS_ADDRESS},romfile="
        return ["-netdev", f"user,id=way,restrict=on,ipv6=off,{forward}", "-device", card]

    def open(self, address: Address) -> None:
        """Let it lead to this server."""
        self._port.write_text(address.url.rpartition(":")[2] + "\n")
        shutil.copytree(address.ca.parent, self._shared / "pki")
        self.close_for("")

    def close_for(self, reason: str) -> None:
        """Tell the machine why there will be no server."""
        self._shared.mkdir(exist_ok=True)
        (self._shared / "written").write_text(reason)
        (self._shared / "written").rename(self._shared / "ready")


class Server:
    """The API server of a test run, in its directory: started in a thread, since the machine boots meanwhile."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._opened = ExitStack()
        self._address: Address | None = None
        self._failure = ""
        self._thread = threading.Thread(target=self._start)
        self._thread.start()

    def lead(self, way: Way) -> None:
        """Open a machine's way to it, as soon as it is there."""
        threading.Thread(target=self._lead, args=[way], daemon=True).start()

    def close(self) -> None:
        """Let go of it."""
        self._thread.join()
        self._opened.close()

    def _start(self) -> None:
        from tests.cluster.keeper import PLACE, shared_server  # which the machine has no time to import

        try:
            self._address = self._opened.enter_context(shared_server(self._run / PLACE))
        except (OSError, RuntimeError) as error:
            self._failure = str(error) or repr(error)

    def _lead(self, way: Way) -> None:
        self._thread.join()
        try:
            if self._address:
                way.open(self._address)
            else:
                way.close_for(self._failure)
        except FileNotFoundError:
            pass  # the machine is gone already


def server() -> Address:
    """The machine's end: the server as it is seen from there, as soon as it is there."""
    from tests.cluster.apiserver import Address

    place = Path(INSIDE) / SHARE / SHARED
    deadline = time.monotonic() + PATIENCE
    while not (place / "ready").exists():
        assert time.monotonic() < deadline, "the host says nothing about its API server"
        time.sleep(0.1)
    reason = (place / "ready").read_text()
    assert not reason, f"the host has no API server: {reason}"
    take_the_card()
    return Address(f"https://{SERVER}:{PORT}", place)


def take_the_card() -> None:
    """Give the card its driver and an address; it may have them."""
    subprocess.run(["modprobe", "virtio_net"], check=True)
    found = Path("/sys/class/net").glob("*/address")
    [name] = (path.parent.name for path in found if path.read_text().strip() == CARDS_ADDRESS)
    for command in (f"address replace {OWN} dev {name}", f"link set {name} up"):
        subprocess.run(["ip", *command.split()], check=True)
