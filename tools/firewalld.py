"""A firewalld to test against: Debian's, with a D-Bus, in a directory of the user's cache that serves as its root."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tools.debian import Apt, NotFetched, from_a_mirror, kept, unpack

if TYPE_CHECKING:
    from pathlib import Path

SUITE = "bookworm"
PACKAGES = ("firewalld", "dbus-daemon", "netbase")
RECIPE = "1"  # another number makes everybody fetch anew

BUS = "/run/dbus/system_bus_socket"
BUS_CONFIG = f"""<busconfig>
<type>system</type><listen>unix:path={BUS}</listen><auth>EXTERNAL</auth>
<policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy>
</busconfig>
"""


def firewalld_root() -> Path:
    """The root directory, fetched once; raises NotFetched."""
    try:
        return kept("firewalld", fetch, RECIPE)
    except NotFetched as error:
        raise NotFetched(f"cannot fetch {', '.join(PACKAGES)} from Debian {SUITE} (try again): {error}") from error


def fetch(work: Path) -> str:
    """Download the packages and everything that they need; the name of the directory to keep it in."""

    def download(apt: Apt) -> list[Path]:
        return apt.closure(PACKAGES, SUITE)

    root = work / "unpacked"
    packages = from_a_mirror(work, [SUITE], download)
    for package in packages:
        unpack(package, root)
    for directory in ("dev", "proc", "run", "tmp", "var/log"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/bus.conf").write_text(BUS_CONFIG)
    [own] = (package.stem for package in packages if package.name.startswith("firewalld_"))
    return own


if __name__ == "__main__":
    try:
        found = firewalld_root()
    except NotFetched as error:
        sys.exit(f"firewalld: {error}")
    print(found)
