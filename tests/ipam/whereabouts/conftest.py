"""whereabouts with files of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.ipam.runtime import Ipam

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def whereabouts(tmp_path: Path) -> Callable[..., Ipam]:
    """Make a whereabouts for one network, on files whatever the machine's flat file says; else it gives 10.1.2.0/24."""

    def make(range_: str = "", /, name: str = "mynet", version: str = "1.1.0", **ipam: object) -> Ipam:
        if not range_ and not {"range", "ipRanges", "addresses"} & set(ipam):
            range_ = "10.1.2.0/24"
        keys: dict[str, Any] = {
            "type": "whereabouts",
            "dataDir": str(tmp_path / "leases"),
            "datastore": "file",
            **({"range": range_} if range_ else {}),
            **ipam,
        }
        config = {"cniVersion": version, "name": name, "type": "macvlan", "ipam": keys}
        return Ipam("whereabouts", tmp_path / "leases", config)

    return make
