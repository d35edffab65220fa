"""What the log says of the time that the API server took."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.site import Site


def test_the_api_servers_time_is_accounted_for(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "multus.log"
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red")
    config = site.config(logFile=str(path), logFormat="json")
    site.call("ADD", config, pod).succeeded()
    site.call("DEL", config, pod).succeeded()
    added, deleted = [json.loads(line) for line in path.read_text().splitlines()]
    assert 0 < added["apiMs"] < added["ms"]
    assert "apiMs" not in deleted, "DEL asks nobody"
    assert [one["name"] for one in added["networks"]] == [one["name"] for one in deleted["networks"]]
    assert added["networks"][1]["name"].endswith("/red")
