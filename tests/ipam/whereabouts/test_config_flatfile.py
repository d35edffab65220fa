"""The flat file of Whereabouts: where it is looked for, what it overrides, and what happens while it is written."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ipam.whereabouts.flatfile import CANDIDATES, FlatFile
from tests.ipam.whereabouts.parsed import parsed, refused, request, window

if TYPE_CHECKING:
    from pathlib import Path

RANGE = {"range": "10.0.0.0/24"}
INSTALLED = {
    "datastore": "kubernetes",
    "kubernetes": {"kubeconfig": "/etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig"},
    "reconciler_cron_expression": "30 4 * * *",
    "log_file": "/tmp/whereabouts.log",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "whereabouts.d" / "whereabouts.conf"


def write(file: Path, document: object) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def test_there_need_be_none(file: Path) -> None:
    assert parsed(RANGE, candidates=[file]).cluster is None


def test_what_the_installer_writes_makes_the_store_the_api(file: Path) -> None:
    config = parsed(RANGE, candidates=[write(file, INSTALLED)])
    assert config.cluster is not None
    assert config.cluster.kubeconfig == "/etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig"
    assert config.datastore_told is False, "the network itself did not say so"


def test_it_fills_what_the_network_leaves_empty_and_overrides_nothing(file: Path) -> None:
    write(
        file,
        {**INSTALLED, "range": "10.9.0.0/24", "gateway": "10.0.0.1", "exclude": ["10.0.0.9"], "policy": "spread"},
    )
    config = parsed({**RANGE, "gateway": "", "exclude": [], "POLICY": "next"}, candidates=[file])
    (pool,) = config.pools
    assert (str(pool.cidr), str(pool.gateway), config.policy) == ("10.0.0.0/24", "10.0.0.1", "next")
    assert not pool.may_give(pool.gateway or pool.cidr.ip)


@pytest.mark.parametrize(
    ("inline", "flat", "expected"),
    [(None, False, False), (None, True, True), (True, False, True), (False, True, False)],
)
def test_whether_ranges_may_overlap_is_read_from_it_unless_the_network_says(
    file: Path, inline: bool | None, flat: bool, expected: bool
) -> None:
    write(file, {"enable_overlapping_ranges": flat})
    ipam = {**RANGE, "enable_overlapping_ranges": inline}
    assert parsed(ipam, candidates=[file]).exclusive is expected


def test_a_kubeconfig_of_the_network_itself_comes_first(file: Path) -> None:
    write(file, {"kubernetes": {"kubeconfig": "/flat", "k8s_api_root": "x"}})
    config = parsed({**RANGE, "kubernetes": {"kubeconfig": "/own"}}, candidates=[file])
    assert config.cluster is not None
    assert config.cluster.kubeconfig == "/own"
    config = parsed({**RANGE, "kubernetes": {}}, candidates=[file])
    assert config.cluster is not None
    assert config.cluster.kubeconfig == "/flat"


def test_the_first_place_that_has_one_counts(file: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other" / "whereabouts.conf", {"range_start": "10.0.0.7"})
    write(file, {"range_start": "10.0.0.5"})
    assert window(parsed(RANGE, candidates=[file, other]).pools[0])[0] == "10.0.0.5"
    assert window(parsed(RANGE, candidates=[tmp_path / "none", other]).pools[0])[0] == "10.0.0.7"
    own = {**RANGE, "configuration_path": str(other)}
    assert window(parsed(own, candidates=[file]).pools[0])[0] == "10.0.0.7"
    assert [path.rpartition("/")[0] for path in CANDIDATES] == [
        "/etc/kubernetes/cni/net.d/whereabouts.d",
        "/etc/cni/net.d/whereabouts.d",
        "/host/etc/cni/net.d/whereabouts.d",
    ]


def test_configuration_path_may_be_the_directory(file: Path, tmp_path: Path) -> None:
    write(file, {"range_start": "10.0.0.5"})
    (file.parent / "nodename").write_text("node-7\n")
    own = {**RANGE, "configuration_path": str(file.parent), "kubernetes": {"kubeconfig": "/k"}}
    config = parsed(own)
    assert window(config.pools[0])[0] == "10.0.0.5"
    assert config.cluster is not None
    assert config.cluster.node == "node-7"
    file.unlink()
    config = parsed(own)
    assert config.cluster is not None
    assert config.cluster.node == "node-7", "the directory need not have the file"


def test_a_file_that_is_named_must_be_there_unless_another_one_is(file: Path, tmp_path: Path) -> None:
    own = {**RANGE, "configuration_path": str(tmp_path / "none")}
    refused(own, 5, "ipam.configuration_path", str(tmp_path / "none"), "does not exist", str(file), candidates=[file])
    assert parsed(own, candidates=[write(file, INSTALLED)]).cluster is not None


@pytest.mark.parametrize("path", ["whereabouts.d", "/etc/../tmp/x", "../x"])
def test_a_path_that_leads_anywhere_is_refused(path: str) -> None:
    refused({**RANGE, "configuration_path": path}, 7, "ipam.configuration_path", path)


def test_an_error_tells_which_keys_came_from_it(file: Path) -> None:
    write(file, {"range_start": "10.9.9.9", "kubernetes": {"kubeconfig": "/k"}})
    refused(
        {**RANGE, "kubernetes": {"k8s_api_root": "x"}},
        7,
        "ipam.range_start",
        f"range_start, kubernetes.kubeconfig: from {file}",
        candidates=[file],
    )


def test_the_directory_of_leases_does_not_belong_there(file: Path) -> None:
    """DEL has to find it, and reads no flat file."""
    write(file, {"dataDir": "/elsewhere"})
    refused(RANGE, 7, "ipam.dataDir", str(file), candidates=[file])


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", 11, ["is empty"]),
        ('{"datastore": "kuber', 11, ["cut off"]),
        ('{"datastore": kubernetes}', 6, ["not JSON", "line 1"]),
        ("[]", 6, ["is not a JSON object"]),
    ],
)
def test_a_file_that_stays_broken_is_told_by_name(file: Path, text: str, code: int, words: list[str]) -> None:
    refused(RANGE, code, str(file), *words, candidates=[write(file, text)])


def test_a_file_that_cannot_be_read_is_told_by_name(file: Path) -> None:
    file.mkdir(parents=True)
    refused(RANGE, 5, str(file), "is a directory", candidates=[file])


def test_a_file_that_is_being_written_is_waited_for(file: Path) -> None:
    write(file, '{"datastore": "kub')

    def finish() -> None:
        time.sleep(0.1)
        write(file, INSTALLED)

    writer = threading.Thread(target=finish)
    writer.start()
    assert parsed(RANGE, candidates=[file]).cluster is not None
    writer.join()


def test_the_network_keeps_what_it_said(file: Path) -> None:
    ipam: dict[str, Any] = {**RANGE, "dns": {"domain": "own"}}
    write(file, {"dns": {"domain": "flat", "search": ["flat"]}, "type": "other"})
    found = FlatFile.read(request(ipam).config.section("ipam"), [str(file)])
    assert found.ipam.raw["dns"] == {"domain": "own", "search": ["flat"]}
    assert found.ipam.raw["range"] == "10.0.0.0/24"
    assert ipam == {**RANGE, "dns": {"domain": "own"}}
