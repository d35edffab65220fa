"""Ways in which a node is broken, each made for real on one that was in order, and what the doctor must say first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cni_multus.cni.document import print_indented
from cni_multus.node.marker import UNINSTALLING, stamp
from cni_multus.state.journal import Journal
from tests.cli.inspect.conftest import shell
from tests.node import UPLINK, Pod

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.doctor.conftest import Ward


@dataclass(frozen=True)
class Illness:
    """What is done to the node, the check that must find it, and words that its first line must have."""

    spoil: Callable[[Ward], object]
    check: str
    words: tuple[str, ...]


def on_the_node(node: Ward, command: str) -> str:
    return shell(node.host.path, command)


def reconfigure(node: Ward, **changed: Any) -> None:
    """As an operator edits a file that nobody generated."""
    document = json.loads(node.own.read_text())
    document.pop("multus.io/generated")
    document["plugins"][0].update(changed)
    node.own.write_text(json.dumps(document))


def rewrite(node: Ward, name: str, **changed: Any) -> None:
    node.define(name, node.red(name=name, **changed))


def another_file_comes_first(node: Ward) -> None:
    node.write("00-aws.conflist", {"cniVersion": "1.0.0", "name": "aws", "plugins": [{"type": "ptp"}]})


def no_configuration(node: Ward) -> None:
    node.own.unlink()


def half_a_configuration(node: Ward) -> None:
    node.own.write_text(node.own.read_text()[:100])


def two_of_ours(node: Ward) -> None:
    node.write("20-multus.conf", node.config())


def relative_directory(node: Ward) -> None:
    reconfigure(node, binDir="opt/cni/bin")


def unknown_version(node: Ward) -> None:
    document = json.loads(node.own.read_text())
    node.own.write_text(json.dumps({**document, "cniVersion": "2.0.0"}))


def edited_by_hand(node: Ward) -> None:
    document = json.loads(node.own.read_text())
    document["plugins"][0]["logLevel"] = "debug"
    node.own.write_text(json.dumps(document))


def primary_gone(node: Ward) -> None:
    (node.networks / "10-primary.conflist").unlink()


def primary_cut(node: Ward) -> None:
    node.write("10-primary.conflist", '{"cniVersion": "1.0.0", "name": "primary",\n "plugins": [')


def primary_not_ready(node: Ward) -> None:
    reconfigure(node, readinessindicatorfile=str(node.root / "ready"))


def typo_in_a_type(node: Ward) -> None:
    rewrite(node, "blue", type="macvln")


def typo_in_a_key(node: Ward) -> None:
    node.define("blue", {"cniVersion": "1.0.0", "name": "blue", "type": "macvlan", "mastr": UPLINK})


def overlapping_ranges(node: Ward) -> None:
    ranges = [[{"subnet": "10.9.0.0/24"}], [{"subnet": "10.9.0.0/16"}]]
    rewrite(node, "blue", ipam={"type": "host-local", "ranges": ranges, "dataDir": str(node.addresses)})


def typo_in_json(node: Ward) -> None:
    node.define("blue", '{"name": "blue", "type": "macvlan",}')


def program_without_permission(node: Ward) -> None:
    node.program("sriov").clear()
    (node.bin_dir / "sriov").chmod(0o644)
    node.define("blue", {"cniVersion": "1.0.0", "name": "blue", "type": "sriov"})


def program_of_another_machine(node: Ward) -> None:
    head = bytearray(64)
    head[:20] = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00"
    (node.bin_dir / "sriov").write_bytes(head)
    (node.bin_dir / "sriov").chmod(0o755)
    node.define("blue", {"cniVersion": "1.0.0", "name": "blue", "type": "sriov"})


def anybody_may_write(node: Ward) -> None:
    node.bin_dir.chmod(0o777)


def stale_link(node: Ward) -> None:
    os.unlink(node.bin_dir / ".multus" / "current")
    os.symlink("versions/0.0.1-000000000000", node.bin_dir / ".multus" / "current")


def damaged_program(node: Ward) -> None:
    [version] = (node.bin_dir / ".multus" / "versions").iterdir()
    (version / "_internal" / "part").write_text("")


def master_down(node: Ward) -> None:
    on_the_node(node, f"ip link set {UPLINK} down")


def master_gone(node: Ward) -> None:
    rewrite(node, "blue", master="ens9")


def master_too_small(node: Ward) -> None:
    rewrite(node, "blue", mtu=9000)


def bridge_down(node: Ward) -> None:
    on_the_node(node, "ip link set cni0 down")


def pod_died(node: Ward) -> None:
    node.die(Pod(str(node.root / "web-0"), "web-0"))


def damaged_record(node: Ward) -> None:
    node.record_file(Pod("", "web-0")).write_bytes(b"rubbish")


def killed_add(node: Ward) -> None:
    record = node.record(Pod("", "web-0"))
    record.complete, record.created = False, int(time.time()) - 3600
    Journal(str(node.cni_dir)).write(record)


def two_programs_and_a_sysctl(node: Ward) -> None:
    shell(str(node.root / "web-0"), "sysctl -qw net.ipv4.conf.eth0.arp_filter=0")


def address_taken_away(node: Ward) -> None:
    shell(str(node.root / "web-0"), "ip address flush dev net1 scope global")


def link_deleted(node: Ward) -> None:
    shell(str(node.root / "web-0"), "ip link delete net1")


def leaked_address(node: Ward) -> None:
    path = node.addresses / "red" / "10.2.0.77"
    path.write_bytes(b"long-dead\r\nnet1")
    os.utime(path, (1e9, 1e9))


def full_pool(node: Ward) -> None:
    rewrite(node, "blue", ipam={"type": "host-local", "subnet": "10.9.0.0/30", "dataDir": str(node.addresses)})
    node.write("30-blue.conf", json.loads(json.loads((node.defined / "blue.json").read_text())["spec"]["config"]))
    node.attach("last", "blue")


def leaked_link(node: Ward) -> None:
    on_the_node(node, "ip link add vethdead type veth peer name vethpeer")
    on_the_node(
        node, "ip link set vethdead alias multus:primary:dead:eth0; ip link set vethdead up; ip link set vethpeer up"
    )


def leaked_filters(node: Ward) -> None:
    on_the_node(node, "nft add chain inet multus_masquerade dead '{ comment \"multus:primary:dead:eth0\"; }'")


def jwt(**claims: float | str) -> str:
    """A token that says this, and that nobody has signed."""
    parts = ({"alg": "RS256"}, claims)
    return ".".join([*(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "c2ln"])


def kubeconfig(node: Ward, token: str, server: str = "https://127.0.0.1:1") -> None:
    """What the watch writes, with this token."""
    directory = node.networks / "multus.d"
    directory.mkdir()
    (directory / "token").write_text(token)
    (directory / "token").chmod(0o600)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "multus", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "multus-context", "context": {"cluster": "local", "user": "multus"}}],
        "current-context": "multus-context",
    }
    path = directory / "multus.kubeconfig"
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    reconfigure(node, kubeconfig=str(path))


def expired_token(node: Ward) -> None:
    kubeconfig(node, jwt(exp=time.time() - 7200, sub="system:serviceaccount:kube-system:multus"))


def token_of_tomorrow(node: Ward) -> None:
    kubeconfig(node, jwt(nbf=time.time() + 86400, exp=time.time() + 90000))


def api_away(node: Ward) -> None:
    on_the_node(node, "ip link set lo up")
    kubeconfig(node, jwt(exp=time.time() + 3600))


def kubeconfig_gone(node: Ward) -> None:
    reconfigure(node, kubeconfig=str(node.root / "multus.kubeconfig"))


def no_ipvlan(node: Ward) -> None:
    """What the kernel of the tests lacks; where it does not, one that no kernel has would be no network of ours."""
    rewrite(node, "blue", type="ipvlan")


def forwards_nothing(node: Ward) -> None:
    on_the_node(node, "sysctl -qw net.ipv4.ip_forward=0")


def one_subnet_twice(node: Ward) -> None:
    static = {"type": "static", "addresses": [{"address": "10.2.0.99/24"}], "dataDir": str(node.root / "static")}
    rewrite(node, "blue", ipam=static)
    pod = node.attach("twice", "red,blue")
    shell(pod.netns, "sysctl -qw net.ipv4.conf.net2.rp_filter=1")


def clock_went_back(node: Ward) -> None:
    record = node.record(Pod("", "web-0"))
    record.created = int(time.time()) + 86400
    Journal(str(node.cni_dir)).write(record)


def namespace_file(node: Ward) -> None:
    (node.run_dir / "netns" / "cni-1234").touch()


def journal_for_everybody(node: Ward) -> None:
    (node.cni_dir / "journal").chmod(0o777)


def secret_for_everybody(node: Ward) -> None:
    api_away(node)
    (node.networks / "multus.d" / "token").chmod(0o644)


def stopped_worker(node: Ward) -> None:
    script = "import fcntl, os, signal, sys; f = open(sys.argv[1]); fcntl.flock(f, 2); os.kill(0, signal.SIGSTOP)"
    command = [sys.executable, "-c", script, str(node.record_file(Pod("", "web-0")))]
    process = subprocess.Popen(command, process_group=0)
    node.started.append(process)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)


def events_that_wait(node: Ward) -> None:
    (node.cni_dir / "events").mkdir(exist_ok=True)
    for minutes in (50, 10):
        moment = time.time_ns() - minutes * 60 * 10**9
        (node.cni_dir / "events" / f"{moment:020}-{'a' * 16}").write_text("{}")


def selinux_denies(node: Ward) -> None:
    (node.log_dir / "audit").mkdir()
    (node.log_dir / "audit" / "audit.log").write_text(
        "type=AVC msg=audit(1700000000.1:7): avc:  denied  { write } for  pid=7 "
        'comm="multus" name="journal" dev="vda1" scontext=system_u:system_r:container_t:s0 '
        "tcontext=system_u:object_r:container_var_lib_t:s0 tclass=dir permissive=0\n"
    )


def networkd_configures(node: Ward) -> None:
    directory = node.run_dir / "systemd" / "netif" / "links"
    directory.mkdir(parents=True)
    index = json.loads(on_the_node(node, "ip -j link show cni0"))[0]["ifindex"]
    (directory / str(index)).write_text("# private data\nADMIN_STATE=configured\nOPER_STATE=routable\n")


def uninstalling(node: Ward) -> None:
    document = json.loads(node.own.read_text())
    document.pop("multus.io/generated")
    node.own.write_bytes(print_indented(stamp({**document, UNINSTALLING: {}}, "")))


def another_version(node: Ward) -> None:
    versions = node.bin_dir / ".multus" / "versions"
    [version] = versions.iterdir()
    version.rename(versions / f"0.0.9-{version.name.rpartition('-')[2]}")
    os.unlink(versions.parent / "current")
    os.symlink(f"versions/0.0.9-{version.name.rpartition('-')[2]}", versions.parent / "current")


def empty_scratch(node: Ward) -> None:
    (node.cni_dir / "0123456789abcdef").touch()


def named_network_cut(node: Ward) -> None:
    (node.named / "green.conf").write_text('{"name": "green"')


def shared_lease(node: Ward) -> None:
    (node.addresses / "red" / "last_reserved_ip.0").write_text("rubbish")
    (node.addresses / "red" / "10.2.0.9").write_bytes(b"")
    os.utime(node.addresses / "red" / "10.2.0.9", (1e9, 1e9))


ILLNESSES = {
    "another file comes first": Illness(another_file_comes_first, "conf-hidden", ("00-aws.conflist hides",)),
    "no configuration": Illness(no_configuration, "conf-missing", ("has the type multus",)),
    "half a configuration": Illness(half_a_configuration, "conf-broken", ("00-multus.conflist", "line ")),
    "two configurations": Illness(two_of_ours, "conf-several", ("2 files", "20-multus.conf")),
    "a relative directory": Illness(relative_directory, "conf-settings", ("binDir", "'opt/cni/bin'")),
    "an unknown cniVersion": Illness(unknown_version, "conf-settings", ("2.0.0",)),
    "edited by hand": Illness(edited_by_hand, "conf-edited", ("generated, and changed",)),
    "primary gone": Illness(primary_gone, "conf-primary", ("10-primary.conflist is gone",)),
    "primary cut off": Illness(primary_cut, "conf-primary", ("10-primary.conflist cannot be used", "line 2")),
    "primary not ready": Illness(primary_not_ready, "conf-readiness", ("readinessindicatorfile",)),
    "a typo in a type": Illness(typo_in_a_type, "plugin-missing", ("'macvln'",)),
    "a typo in a key": Illness(typo_in_a_key, "lint", ("blue.json:", "mastr")),
    "ranges that overlap": Illness(overlapping_ranges, "lint", ("10.9.0.0/24", "10.9.0.0/16")),
    "a definition that is no JSON": Illness(typo_in_json, "definition-wrong", ("blue/blue", "line 1")),
    "a program without permission": Illness(program_without_permission, "plugin-executable", ("sriov is not exec",)),
    "a program for another machine": Illness(program_of_another_machine, "plugin-executable", ("for aarch64",)),
    "a directory for everybody": Illness(anybody_may_write, "plugin-writable", ("every user", "bin")),
    "a link to nowhere": Illness(stale_link, "program-missing", ("bin/multus",)),
    "a damaged program": Illness(damaged_program, "program-damaged", ("is damaged",)),
    "a master that is down": Illness(master_down, "master-down", ("up0 is down", "network red")),
    "a master that is gone": Illness(master_gone, "master-missing", ("no link ens9", "network blue")),
    "an MTU that is too large": Illness(master_too_small, "master-mtu", ("9000", "1500")),
    "a bridge that is down": Illness(bridge_down, "master-down", ("cni0 is down",)),
    "a pod that died": Illness(pod_died, "record-orphan", ("blue/web-0", "namespace is gone")),
    "a damaged record": Illness(damaged_record, "record-damaged", ("web-0@eth0",)),
    "an ADD that was killed": Illness(killed_add, "record-unfinished", ("ADD of pod blue/web-0",)),
    "two programs and a sysctl": Illness(two_programs_and_a_sysctl, "sysctl-changed", ("arp_filter", "is 0")),
    "an address taken away": Illness(address_taken_away, "attachment-differs", ("net1", "10.2.0.")),
    "a link deleted": Illness(link_deleted, "attachment-differs", ("net1 is gone",)),
    "a leaked address": Illness(leaked_address, "address-leaked", ("10.2.0.77",)),
    "a full pool": Illness(full_pool, "pool-full", ("blue is full",)),
    "a leaked link": Illness(leaked_link, "link-leaked", ("vethdead",)),
    "leaked filters": Illness(leaked_filters, "nft-leaked", ("multus_masquerade chain dead",)),
    "a kind of link that the kernel lacks": Illness(no_ipvlan, "kernel-feature", ("no ipvlan", "network blue")),
    "forwarding is off": Illness(forwards_nothing, "forwarding", ("net.ipv4.ip_forward is 0",)),
    "one subnet twice": Illness(one_subnet_twice, "rp-filter", ("blue/twice", "net1 and net2")),
    "the clock went back": Illness(clock_went_back, "clock", ("went back",)),
    "a namespace's file without one": Illness(namespace_file, "netns-file", ("cni-1234", "no namespace")),
    "a journal for everybody": Illness(journal_for_everybody, "modes", ("journal",)),
    "a worker that is stopped": Illness(stopped_worker, "lock-held", ("blue/web-0", "is stopped")),
    "Events that wait": Illness(events_that_wait, "events-waiting", ("2 Events", "50 min")),
    "a policy that denies": Illness(selinux_denies, "denied", ("SELinux denied multus",)),
    "a manager of networks": Illness(networkd_configures, "link-managed", ("systemd-networkd manages cni0",)),
    "an uninstallation": Illness(uninstalling, "conf-edited", ("multus uninstall",)),
    "another version": Illness(another_version, "program-version", ("0.0.9",)),
    "an empty scratch file": Illness(empty_scratch, "go-scratch", ("0123456789abcdef",)),
    "a network that is cut off": Illness(named_network_cut, "conf-networks", ("green.conf",)),
    "an address of nobody": Illness(shared_lease, "address-inconsistent", ("10.2.0.9",)),
    "an expired token": Illness(expired_token, "api-token", ("expired 2 h ago",)),
    "a token of tomorrow": Illness(token_of_tomorrow, "api-token", ("clock of this node is behind",)),
    "an API server that is away": Illness(api_away, "api-reach", ("does not answer",)),
    "a kubeconfig that is gone": Illness(kubeconfig_gone, "api-credentials", ("is not there",)),
}
