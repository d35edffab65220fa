"""ipMasq: which backend serves, what it says where none does, and what CHECK finds of it."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.masquerade import nftables as masquerade_nftables
from tests.node import with_run
from tests.plugins.configs import pools
from tests.plugins.datagrams import NODE, OUTSIDE, make_outside, source_seen
from tests.plugins.masqueraded import DEFAULTS, FAMILIES, SUBNETS, garbage, masquerade_directly, rules

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

WITHOUT_NFTABLES = Path(__file__).with_name("without_nftables.py")
OLD, NEW = "/usr/sbin/xtables-legacy-multi", "/usr/sbin/xtables-nft-multi"

LEGACY = ["unshare", "--mount", "sh", "-c", f'mount --bind {OLD} {NEW} && exec "$0" "$@"']
"""What makes iptables the one that stood on no nftables."""

NO_IPTABLES = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /usr/sbin && exec "$0" "$@"']


@pytest.fixture
def config(node: Runtime) -> dict[str, Any]:
    ipam = pools(node, *SUBNETS, routes=DEFAULTS)
    return {"cniVersion": "1.1.0", "name": "blue", "type": "ptp", "ipMasq": True, "ipam": ipam}


def test_a_backend_that_nobody_knows_is_told_before_anything_happens(node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: link and addresses are there by then, and stay."""
    before = node.shown.everything()
    config = {"cniVersion": "1.1.0", "name": "blue", "type": "ptp", "ipMasq": True, "ipMasqBackend": "ebpf"}
    config["ipam"] = node.given("10.1.2.5/24")
    for verb in ("ADD", "STATUS"):
        assert node.ask(verb, config, pod if verb == "ADD" else None).failed(7).startswith("ipMasqBackend: 'ebpf'")
    assert node.verbs() == []
    assert (inside.links(), node.shown.everything()) == (set(), before)
    node.add({**config, "ipMasq": False, "ipam": node.given("10.1.2.5/24", gateway="10.1.2.1")}, pod)


BROKEN = {
    "nft delete table inet multus_masquerade": "does not look at what leaves the node",
    "nft flush chain inet multus_masquerade postrouting": "does not look at what leaves the node",
    "nft flush map inet multus_masquerade sources4": "10.1.2.2 is not masqueraded",
    "nft flush chain inet multus_masquerade $(nft list chains inet | grep -o 'blue-[^ ]*')": "is not as it was made",
}


@pytest.mark.parametrize(("command", "words"), BROKEN.items())
def test_what_nftables_lost_is_found(command: str, words: str, node: Runtime, pod: Pod) -> None:
    config = {"cniVersion": "1.1.0", "name": "blue", "type": "ptp", "ipMasq": True, "ipam": pools(node, *SUBNETS)}
    result = node.add(config, pod)
    node.check(config, pod, result)
    node.shown.run(command)
    assert words in node.difference(config, pod, result)
    node.delete(config, pod, result)
    assert rules(node) == ""


@pytest.mark.parametrize("family", ["", "6"])
def test_what_iptables_lost_is_found(family: str, node: Runtime, pod: Pod) -> None:
    config = {"cniVersion": "1.1.0", "name": "blue", "type": "ptp", "ipMasq": True, "ipam": pools(node, *SUBNETS)}
    config["ipMasqBackend"] = "iptables"
    result = node.add(config, pod)
    node.shown.run(f"ip{family}tables -t nat -F POSTROUTING")
    assert "is missing in chain POSTROUTING of iptables' nat table" in node.difference(config, pod, result)
    node.delete(config, pod, result)
    assert rules(node) == ""


def test_iptables_is_left_alone_where_nftables_serves(node: Runtime, pod: Pod) -> None:
    config = {"cniVersion": "1.1.0", "name": "blue", "type": "ptp", "ipMasq": True, "ipam": pools(node, *SUBNETS)}
    node.add(config, pod)
    node.delete(config, pod)
    node.delete(config, pod)
    tables = node.shown.run("nft list tables")
    assert tables.split("\n") == ["table inet multus_masquerade", ""]


def test_a_kernel_without_nftables_is_served_by_iptables(
    config: dict[str, Any], node: Runtime, pod: Pod, netns: MakeNamespace
) -> None:
    outside = make_outside(netns, node.host.path)
    before = [*LEGACY, sys.executable, str(WITHOUT_NFTABLES)]
    old = f"mount --bind {OLD} {NEW}; "
    result = node.process("ADD", config, pod, *before).succeeded().document
    saved = node.shown.run(f"unshare --mount sh -c '{old} iptables-save -t nat; ip6tables-save -t nat'")
    assert saved.count("-j MASQUERADE") == len(FAMILIES)
    for family in FAMILIES:
        assert source_seen(pod.netns, outside, OUTSIDE[family]) == NODE[family]
    node.process("CHECK", {**config, "prevResult": result}, pod, *before).succeeded()
    node.process("STATUS", config, None, *before).succeeded()
    node.process("GC", garbage(config, pod.container_id), None, *before).succeeded()
    node.process("CHECK", {**config, "prevResult": result}, pod, *before).succeeded()
    for _ in range(2):
        node.process("DEL", config, pod, *before, CNI_NETNS="").succeeded()
        saved = node.shown.run(f"unshare --mount sh -c '{old} iptables-save -t nat; ip6tables-save -t nat'")
        assert "MULTUS-" not in saved


def test_garbage_is_found_without_nftables(config: dict[str, Any], node: Runtime, pod: Pod) -> None:
    before = [*LEGACY, sys.executable, str(WITHOUT_NFTABLES)]
    node.process("ADD", config, pod, *before).succeeded()
    node.process("GC", garbage(config), None, *before).succeeded()
    saved = node.shown.run(f"unshare --mount sh -c 'mount --bind {OLD} {NEW}; iptables-save -t nat'")
    assert "MULTUS-" not in saved


def test_a_node_with_neither_says_so_before_anything_happens(
    config: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    before = [*NO_IPTABLES, sys.executable, str(WITHOUT_NFTABLES)]
    message = node.process("ADD", config, pod, *before).failed(2)
    assert message.startswith("ipMasq: this node has no iptables, and cannot masquerade with nftables: ")
    message = node.process("ADD", {**config, "ipMasqBackend": "iptables"}, pod, *before).failed(7)
    assert message == "ipMasqBackend: there is no iptables-restore on this node"
    message = node.process("ADD", {**config, "ipMasqBackend": "nftables"}, pod, *before).failed(7)
    assert message.startswith("ipMasqBackend: this node cannot masquerade with nftables: ")
    assert node.process("STATUS", config, None, *before).failed(50).startswith("ipMasq: ")
    assert inside.links() == set()
    assert node.reserved("blue") == {}


def test_a_lock_that_somebody_keeps_is_waited_for_and_then_told(
    config: dict[str, Any], node: Runtime, pod: Pod, inside: Shown, tmp_path: Path
) -> None:
    """The iptables that stands on no nftables has one lock for all."""
    run = tmp_path / "run"
    run.mkdir()
    with (run / "xtables.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        config["ipMasqBackend"] = "iptables"
        message = node.process("ADD", config, pod, *with_run(run), *LEGACY).failed(11)
    assert "xtables.lock" in message
    assert inside.links() == set()
    assert node.reserved("blue") == {}


def test_whether_nftables_serves_is_found_out_without_touching_what_others_make(node: Runtime) -> None:
    """The first pods of a node come at once: the table may appear while another finds out that it could."""
    masquerade_directly(node, ["10.1.2.5/24"], "nftables")
    before = node.shown.run("nft list ruleset")
    masquerade_nftables.TABLE.try_out(node.host)
    assert node.shown.run("nft list ruleset") == before
