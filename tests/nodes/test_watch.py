"""`multus node watch` as a process, on files that primaries write, rename, break and take away."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cni_multus.node.marker import UNINSTALLING as UNINSTALLING_KEY
from cni_multus.node.marker import stamp
from cni_multus.node.receipt import UNINSTALLING, Receipt
from tests.node import in_private_mounts
from tests.nodes.kit import NET_D, Site, fill, primary, until
from tools.build import PROGRAM

if TYPE_CHECKING:
    from tests.nodes.conftest import Start

OURS = "00-multus.conf"


def source(site: Site, name: str = OURS) -> str:
    """Of which file the configuration is that is there; "" where there is none."""
    path = site.net_d / name
    return str(site.ours(name)["clusterNetwork"]).removeprefix(f"{NET_D}/") if path.exists() else ""


def becomes(site: Site, file: str) -> None:
    until(lambda: source(site) == file, lambda: f"{site.names()} {source(site)!r}")


def test_a_primary_is_waited_for_and_that_is_said_again_and_again(site: Site, watch: Start) -> None:
    watcher = watch("--remind", "1", settle="0")
    watcher.wait_for_reason("there is no configuration of a primary CNI")
    assert watcher.ask("/healthz") == (200, "ok\n")
    until(lambda: watcher.said.count("there is no configuration of a primary") > 1, lambda: watcher.said, watcher)
    site.put("10-calico.conflist")
    watcher.wait_until_ready()
    assert source(site) == "10-calico.conflist"
    watcher.wait_for("over: there is no configuration")
    assert watcher.end() == 0
    assert source(site) == "10-calico.conflist"


def test_told_to_end_before_there_was_a_primary_is_no_success(site: Site, watch: Start) -> None:
    watcher = watch()
    watcher.wait_for("health at")
    assert watcher.end() == 1


def test_a_directory_that_is_missing_is_waited_for(site: Site, watch: Start) -> None:
    site.net_d.rmdir()
    watcher = watch(settle="0")
    watcher.wait_for_reason("no such file or directory")
    site.net_d.mkdir()
    site.put("10-calico.conflist")
    watcher.wait_until_ready()


def test_an_edit_is_followed_at_once(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    watcher = watch()
    watcher.wait_until_ready()
    site.put("10-calico.conflist", primary("10-calico.conflist").replace("0.3.1", "0.4.0"))
    until(lambda: site.ours()["cniVersion"] == "0.4.0", lambda: watcher.said, watcher)
    site.put("10-calico.conflist", primary("10-calico.conflist").replace("0.3.1", "1.0.0"))
    until(lambda: site.names()[0] == "00-multus.conflist", lambda: watcher.said, watcher)
    watcher.wait_for("removed /etc/cni/net.d/00-multus.conf, which it replaces")
    assert watcher.metric("published_total") == 3
    assert watcher.metric("restored_total") == 0


def test_capabilities_that_go_are_taken_away(site: Site, watch: Start) -> None:
    """The Go daemon only ever adds them."""
    site.put("10-calico.conflist")
    watcher = watch()
    watcher.wait_until_ready()
    site.put("10-calico.conflist", primary("10-calico.conflist").replace('"bandwidth": true', '"bandwidth": false'))
    until(lambda: "bandwidth" not in site.ours()["capabilities"], lambda: watcher.said, watcher)


@pytest.mark.parametrize("content", ["", '{"name": "k8s', "[]", '{"name": "a", "plugins": []}'])
def test_a_broken_primary_leaves_the_last_good_one(site: Site, watch: Start, content: str) -> None:
    site.put("10-calico.conflist")
    watcher = watch()
    watcher.wait_until_ready()
    before = (site.net_d / OURS).read_bytes()
    site.put("10-calico.conflist", content)
    watcher.wait_for_reason("10-calico.conflist cannot be the primary's configuration")
    watcher.wait_for(f"the configuration made from {NET_D}/10-calico.conflist stays")
    assert (site.net_d / OURS).read_bytes() == before
    site.put("10-calico.conflist")
    watcher.wait_until_ready()


def test_a_broken_primary_is_survived_by_a_restart(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    first = watch()
    first.wait_until_ready()
    first.end(signal.SIGKILL)
    site.put("10-calico.conflist", "{")
    second = watch(log="second")
    second.wait_for_reason("cannot be the primary's configuration")
    (site.net_d / OURS).unlink()
    becomes(site, "10-calico.conflist")
    # It is on the disk a moment before it is counted.
    until(lambda: second.metric("restored_total") == 1, lambda: second.said, second)


def test_a_primary_written_byte_by_byte_is_never_half_taken(site: Site, watch: Start) -> None:
    watcher = watch()
    text = primary("10-calico.conflist")
    with (site.net_d / "10-calico.conflist").open("w", buffering=1) as file:
        for at in range(0, len(text), 40):
            file.write(text[at : at + 40])
            file.flush()
            time.sleep(0.02)
    watcher.wait_until_ready()
    assert "warning" not in watcher.said
    assert site.ours()["capabilities"]["bandwidth"] is True


def test_another_file_in_its_place_is_taken_once_that_lasts(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    site.put("87-podman.conflist", primary("10-flannel.conflist"))
    watcher = watch()
    watcher.wait_until_ready()
    watcher.wait_for("passed over: 87-podman.conflist")
    (site.net_d / "10-calico.conflist").unlink()
    time.sleep(0.3)
    assert source(site) == "10-calico.conflist"
    site.put("10-calico.conflist")
    time.sleep(1.5)
    assert source(site) == "10-calico.conflist"
    (site.net_d / "10-calico.conflist").rename(site.net_d / "20-calico.conflist")
    becomes(site, "20-calico.conflist")


def test_a_second_one_that_comes_first_is_taken(site: Site, watch: Start) -> None:
    site.put("10-flannel.conflist")
    watcher = watch()
    watcher.wait_until_ready()
    site.put("05-cilium.conflist")
    becomes(site, "05-cilium.conflist")
    assert watcher.metric("primaries") == 2
    assert 'primary_info{file="/etc/cni/net.d/05-cilium.conflist"' in watcher.ask("/metrics")[1]


def test_a_primary_that_is_gone_leaves_the_configuration(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    watcher = watch()
    watcher.wait_until_ready()
    (site.net_d / "10-calico.conflist").unlink()
    watcher.wait_for_reason("there is no configuration of a primary CNI")
    assert source(site) == "10-calico.conflist"


def test_ours_is_restored_when_cilium_hides_it_and_that_has_a_limit(site: Site, watch: Start) -> None:
    site.put("05-cilium.conflist")
    watcher = watch()
    watcher.wait_until_ready()
    for count in range(1, 11):
        (site.net_d / OURS).rename(site.net_d / f"{OURS}.cilium_bak")
        until((site.net_d / OURS).exists, lambda: watcher.said, watcher)
        until(lambda: watcher.metric("restored_total") == count, lambda: watcher.said, watcher)  # noqa: B023
    (site.net_d / OURS).rename(site.net_d / f"{OURS}.cilium_bak")
    watcher.wait_for_reason("was restored 10 times and is gone again; Cilium renames it: set its value cni.exclusive")
    watcher.wait_for("cni.exclusive to false")
    assert not (site.net_d / OURS).exists()


def test_an_empty_file_in_our_place_is_replaced(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    watcher = watch()
    watcher.wait_until_ready()
    (site.net_d / OURS).write_text("")
    until(lambda: (site.net_d / OURS).stat().st_size > 0, lambda: watcher.said, watcher)


def test_an_edit_of_ours_is_left_and_said(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    watcher = watch()
    watcher.wait_until_ready()
    text = json.dumps({**site.ours(), "logLevel": "debug"})
    (site.net_d / OURS).write_text(text)
    watcher.wait_for(f"warning: {NET_D}/{OURS} was edited after it had been generated, and is left as it is")
    assert watcher.ask("/readyz")[0] == 200
    assert 'trouble{kind="file"} 1' in watcher.ask("/metrics")[1]
    assert (site.net_d / OURS).read_text() == text
    watcher.end()
    watch("--force", log="forced").wait_until_ready()
    until(lambda: "logLevel" not in site.ours(), lambda: "still there")


def test_a_file_that_comes_before_ours_is_said(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    site.put("00-first.conf", '{"cniVersion": "0.3.1", "name": "first", "type": "bridge"}')
    watcher = watch()
    watcher.wait_for_reason(f"the runtime reads {NET_D}/00-first.conf, which comes before {OURS}")


def test_a_primary_is_renamed_again_when_it_comes_again(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    watcher = watch("--rename-conf-file", "--cleanup-config-on-exit=true")
    watcher.wait_until_ready()
    assert site.names() == [OURS, "10-calico.conflist.old"]
    site.put("10-calico.conflist", primary("10-calico.conflist").replace("0.3.1", "0.4.0"))
    until(lambda: site.names() == [OURS, "10-calico.conflist.old"], lambda: watcher.said, watcher)
    assert site.ours()["cniVersion"] == "0.4.0"
    assert watcher.end() == 0
    assert site.names() == ["10-calico.conflist"]


def test_the_configuration_goes_at_the_end_only_where_that_is_asked_for(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    first = watch()
    first.wait_until_ready()
    assert first.end() == 0
    assert site.names() == [OURS, "10-calico.conflist"]
    second = watch("--cleanup-config-on-exit", log="second")
    second.wait_until_ready()
    assert second.end(signal.SIGINT) == 0
    assert site.names() == ["10-calico.conflist"]


def test_killed_at_any_moment_it_leaves_a_whole_configuration(site: Site, watch: Start) -> None:
    versions = ("0.3.1", "0.4.0", "1.0.0")
    for round_ in range(8):
        watcher = watch("--health-address=", settle="0", log=f"log{round_}")
        for version in versions:
            site.put("10-calico.conflist", primary("10-calico.conflist").replace("0.3.1", version))
            time.sleep(0.03 * (round_ + 1))
        watcher.end(signal.SIGKILL)
        for name in site.names():
            if name.startswith("00-"):
                assert json.loads((site.net_d / name).read_text())["name"] == "multus-cni-network"
    watch(log="last").wait_until_ready()
    assert site.names() == ["00-multus.conflist", "10-calico.conflist"]


def test_a_second_one_stands_by_and_takes_over(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    first = watch("--cleanup-config-on-exit")
    first.wait_until_ready()
    second = watch("--cleanup-config-on-exit", log="second")
    second.wait_for_reason("another process keeps this node's configuration; standing by")
    third = watch("--cleanup-config-on-exit", log="third")
    third.wait_for_reason("standing by")
    assert third.end() == 0
    assert source(site) == "10-calico.conflist"
    first.end(signal.SIGKILL)
    second.wait_until_ready()


def test_an_operators_file_is_followed_and_the_process_stays(site: Site, watch: Start) -> None:
    own = site.root / "own" / "70-multus.conf"
    own.parent.mkdir()
    own.write_text(json.dumps({"cniVersion": "0.3.1", "name": "n", "type": "multus", "clusterNetwork": "/a.conf"}))
    watcher = watch("--multus-conf-file", "/own/70-multus.conf")
    watcher.wait_until_ready()
    assert site.ours("70-multus.conf")["clusterNetwork"] == "/a.conf"
    own.write_text(own.read_text().replace("/a.conf", "/b.conf"))
    until(lambda: site.ours("70-multus.conf")["clusterNetwork"] == "/b.conf", lambda: watcher.said, watcher)


def test_the_primary_is_not_followed_where_that_is_asked_for(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    watcher = watch("--skip-config-watch")
    watcher.wait_until_ready()
    site.put("10-calico.conflist", primary("10-calico.conflist").replace("0.3.1", "0.4.0"))
    (site.net_d / OURS).unlink()
    until((site.net_d / OURS).exists, lambda: watcher.said, watcher)
    assert site.ours()["cniVersion"] == "0.3.1"


def test_the_readiness_indicator_is_told_of(site: Site, watch: Start) -> None:
    site.put("10-flannel.conflist")
    watcher = watch("--readiness-indicator-file=/run/flannel/subnet.env")
    watcher.wait_for_reason("/run/flannel/subnet.env is not there")
    assert site.ours()["readinessindicatorfile"] == "/run/flannel/subnet.env"
    (site.root / "run/flannel").mkdir(parents=True)
    (site.root / "run/flannel/subnet.env").touch()
    watcher.wait_until_ready()


def test_a_renewed_token_is_on_the_node_at_once(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    account = site.root / "account"
    account.mkdir()
    (account / "token").write_text("first")
    (account / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    watcher = watch("--service-account-dir", str(account))
    watcher.wait_until_ready()
    token = site.net_d / "multus.d/token"
    until(lambda: token.exists() and token.read_text() == "first", lambda: watcher.said, watcher)
    (account / "token").unlink()
    watcher.wait_for("warning")
    assert token.read_text() == "first"
    assert watcher.ask("/readyz")[0] == 200
    (account / "token").write_text("second")
    until(lambda: token.read_text() == "second", lambda: watcher.said, watcher)
    assert token.stat().st_mode & 0o077 == 0


def test_a_clock_that_jumps_changes_nothing(site: Site, watch: Start) -> None:
    """Files from the future, and from 1970, are read like all others: nothing depends on their times."""
    path = site.put("10-calico.conflist")
    watcher = watch()
    watcher.wait_until_ready()
    for when, version in ((0, "0.4.0"), (4102444800, "0.3.0")):
        path = site.put("10-calico.conflist", primary("10-calico.conflist").replace("0.3.1", version))
        os.utime(path, (when, when))
        until(lambda: site.ours()["cniVersion"] == version, lambda: watcher.said, watcher)  # noqa: B023


def test_what_is_not_loopback_is_no_address_for_health(site: Site) -> None:
    done = site.run("watch", "--health-address", "0.0.0.0:80")
    assert done.returncode == 2
    assert "--health-address: '0.0.0.0:80' is not a port of a loopback address" in done.stderr


def test_a_port_that_is_taken_keeps_nobody_from_working(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    first = watch()
    first.wait_until_ready()
    port = first.said.rpartition("health at http://")[2].split()[0]
    first.process.send_signal(signal.SIGSTOP)
    second = watch("--health-address", port, log="second")
    second.wait_for("standing by")
    second.wait_for(f"cannot answer at {port}: address already in use")
    first.process.send_signal(signal.SIGCONT)
    first.end()
    second.wait_until_ready()


def test_what_is_uninstalled_is_not_restored(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    home = site.root / "opt/cni/bin/.multus"
    home.mkdir(parents=True)
    receipt = Receipt(str(site.root), "/opt/cni/bin")
    receipt.write()
    watcher = watch("--cleanup-config-on-exit")
    watcher.wait_until_ready()
    receipt.state = UNINSTALLING
    receipt.write()
    watcher.wait_for_reason("multus is being uninstalled from this node")
    (site.net_d / OURS).unlink()
    (home / "installed.json").unlink()
    watcher.wait_for_reason("multus was uninstalled from /opt/cni/bin: there is nothing to keep")
    time.sleep(0.3)
    assert site.names() == ["10-calico.conflist"]
    assert watcher.end() == 0
    assert site.names() == ["10-calico.conflist"]


def test_what_stands_in_our_place_while_we_are_uninstalled_stays(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    watcher = watch("--force", "--cleanup-config-on-exit")
    watcher.wait_until_ready()
    text = json.dumps(stamp({**site.ours(), UNINSTALLING_KEY: True}, f"{NET_D}/10-calico.conflist"))
    site.put(OURS, text)
    watcher.wait_for_reason("multus is being uninstalled from this node")
    assert (site.net_d / OURS).read_text() == text
    watcher.end()
    assert (site.net_d / OURS).read_text() == text


def test_a_full_disk_is_told_and_waited_for(site: Site, watch: Start) -> None:
    def work() -> None:
        os.system(f"mount -t tmpfs -o size=64k,nr_inodes=64 none {site.net_d}")
        site.put("10-calico.conflist")
        watcher = watch()
        watcher.wait_until_ready()
        filler = site.net_d / "filler"
        fill(filler)
        (site.net_d / "10-calico.conflist").rename(site.net_d / "20-calico.conflist")
        watcher.wait_for_reason("no space left on device")
        assert source(site) == "10-calico.conflist"
        filler.unlink()
        watcher.wait_until_ready()
        assert source(site) == "20-calico.conflist"
        watcher.end()

    in_private_mounts(work)


def test_the_built_program_does_it_in_little_memory(site: Site, watch: Start) -> None:
    assert PROGRAM.exists(), "run `make build` first"
    site.put("10-calico.conflist")
    watcher = watch(built=True)
    watcher.wait_until_ready()
    (site.net_d / OURS).rename(site.net_d / f"{OURS}.cilium_bak")
    until((site.net_d / OURS).exists, lambda: watcher.said, watcher)
    [peak] = [line for line in Path(f"/proc/{watcher.process.pid}/status").read_text().splitlines() if "VmHWM" in line]
    assert int(peak.split()[1]) < 48 << 10
    assert watcher.end() == 0


def test_other_paths_are_not_found(site: Site, watch: Start) -> None:
    watcher = watch()
    assert watcher.ask("/")[0] == 404
    assert watcher.ask("/healthz?verbose")[0] == 200
