"""A virtual machine that boots Debian's kernel, sees this machine's files, runs one command, and is gone.

By hand: `.venv/bin/python -m tests.vm.machine sh -c 'ip link add eth7 type dummy; ip link'`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.vm.initrd import ROOT, SHARE, initrd
from tests.vm.way import Way
from tools.vmkit import vmkit

if TYPE_CHECKING:
    from types import TracebackType

BOOT = 300
"""Seconds that the kernel may take until the command runs; on an idle machine it takes three."""

MEMORY = 2048  # MiB

# No acceleration: /dev/kvm is there on many a machine, but does not do everywhere what a stock kernel wants. And one
# processor: the tests take longer on two, and much longer where somebody else wants the real ones as well.
MACHINE = ("-machine", "q35", "-accel", "tcg,thread=single", "-cpu", "qemu64", "-m", str(MEMORY), "-smp", "1")
NOTHING_ELSE = ("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot")
# The clock is one whose speed is known: that of the TSC is measured at boot, and where others want the processor
# meanwhile, it can be ten times too fast from then on.
CLOCK = "clocksource=hpet tsc=reliable"
KERNEL = f"console=ttyS0 quiet panic=-1 oops=panic nokaslr mitigations=off {CLOCK} rcupdate.rcu_expedited=1"

CARDS = 2
"""Enough to send packets from one to the other."""

PASSED_ON = ("CNI_REFERENCE", "HOME", "LANG", "MULTUS_CRIKIT", "PATH", "XDG_CACHE_HOME")


class Machine:
    """A machine that boots at once; `share` is where both sides read and write files."""

    def __init__(self, command: list[str], directory: Path, environment: dict[str, str]) -> None:
        kit = vmkit()
        self._directory = tempfile.TemporaryDirectory(prefix="vm-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
        self._root = Path(self._directory.name)
        self.share = self._root / "share"
        self.share.mkdir()
        self.way = Way(kit, self._root, self.share)
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        start = initrd(kit, command, {**passed, **environment}, directory)
        (self._root / "initrd").write_bytes(start)
        data = (f"{kit.programs}/usr/share/{directory}" for directory in ("qemu", "seabios"))
        qemu = [
            *kit.command("usr/bin/qemu-system-x86_64"),
            *(word for directory in data for word in ("-L", directory)),
            *MACHINE,
            *NOTHING_ELSE,
            *("-serial", f"file:{self._root}/console"),
            *("-kernel", str(kit.kernel), "-initrd", f"{self._root}/initrd", "-append", KERNEL),
            *("-virtfs", f"local,path=/,mount_tag={ROOT},security_model=none,readonly=on,multidevs=remap"),
            *("-virtfs", f"local,path={self.share},mount_tag={SHARE},security_model=none,multidevs=remap"),
            *network_cards(CARDS),
            *self.way.words,
        ]
        self._begun = time.monotonic()
        with (self._root / "qemu").open("w") as log:
            # It ends with this process, however that ends.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *qemu], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Turn it off, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._directory.cleanup()

    def status(self) -> int | None:
        """How the command ended, once it did."""
        written = self._read(SHARE, "status")
        return int(written) if written.endswith("\n") else None

    def why_not(self) -> str:
        """Why nothing is to be expected of it any more; "" while it runs."""
        if self._process.poll() is not None:
            return "it is off"
        if not (self.share / "booted").exists() and time.monotonic() - self._begun > BOOT:
            return f"it did not boot in {BOOT} s"
        return ""

    def output(self) -> str:
        """What the command has printed so far."""
        return self._read(SHARE, "output")

    def last_words(self, characters: int = 4000) -> str:
        """The end of what the command, the kernel and qemu printed."""
        parts = {"command": self.output(), "console": self._read("console"), "qemu": self._read("qemu")}
        return "\n".join(f"--- {name}\n{text[-characters:]}" for name, text in parts.items() if text)

    def _read(self, *path: str) -> str:
        try:
            return self._root.joinpath(*path).read_text(errors="replace")
        except FileNotFoundError:
            return ""


def network_cards(number: int) -> list[str]:
    """Cards that do SR-IOV (Intel's igb), all on one hub; their module is loaded by whoever wants them."""
    words = []
    for card in range(number):
        words += ["-device", f"pcie-root-port,id=port{card},chassis={card},slot={card}"]
        words += ["-netdev", f"hubport,id=hub{card},hubid=0"]
        words += ["-device", f"igb,bus=port{card},netdev=hub{card},mac=52:54:00:00:00:{card:02x},romfile="]
    return words


def main() -> int:
    """Run the words of the command line in a machine, print what it prints, end as it ends."""
    printed = 0
    with Machine(sys.argv[1:], Path.cwd(), {}) as machine:
        while True:
            ended = machine.status() is not None or machine.why_not()
            text = machine.output()
            print(text[printed:], end="", flush=True)  # noqa: T201  # that is its purpose
            printed = len(text)
            if ended:
                break
            time.sleep(0.05)
        if (status := machine.status()) is None:
            sys.exit(f"vm: {machine.why_not()}\n{machine.last_words()}")
        return status


if __name__ == "__main__":
    sys.exit(main())
