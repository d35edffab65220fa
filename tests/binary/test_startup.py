"""What the built program imports for one request, as strace sees it.

The standard library is loose bytecode: every import opens a file. Our own modules are pieces of one file: every import
reads at an offset.
"""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from tools import modules
from tools.build import PROGRAM
from tools.modules import read_index

OURS = re.compile(r"pread64\(\d+, .*, (\d+), (\d+)\) = \d")
MODULE = re.compile(r'openat\(AT_FDCWD, "[^"]*/_internal/([^"]+?)(?:\.cpython-[^"/]*\.so|\.pyc)", [^)]*\) = \d')
EXECUTED = re.compile(r'execve\("([^"]+)", .*\) = 0')

# Built into the interpreter, and so not seen here: os, posix, sys, errno, time, fcntl, struct, select, _socket, ...
INTERPRETER = {"__future__", "_json", "encodings", "encodings.aliases", "encodings.utf_8"}

VERSION = {
    "cni_multus",
    "cni_multus.cni",
    "cni_multus.cni.errors",
    "cni_multus.cni.versions",
    "cni_multus.registry",
}

PROTOCOL = {
    "cni_multus",
    "cni_multus.cni",
    "cni_multus.cni.addressing",
    "cni_multus.cni.config",
    "cni_multus.cni.conversation",
    "cni_multus.cni.document",
    "cni_multus.cni.errors",
    "cni_multus.cni.members",
    "cni_multus.cni.names",
    "cni_multus.cni.request",
    "cni_multus.cni.result",
    "cni_multus.cni.versions",
    "cni_multus.registry",
}

# What every verb of bridge with host-local needs; a DEL, the most frequent one, needs no more.
BRIDGE = {
    "_ctypes",
    "cni_multus.cni.verbs",
    "cni_multus.delegate",
    "cni_multus.linux",
    "cni_multus.linux.addresses",
    "cni_multus.linux.codec",
    "cni_multus.linux.hostports",
    "cni_multus.linux.linkinfo",
    "cni_multus.linux.links",
    "cni_multus.linux.linktable",
    "cni_multus.linux.neighbours",
    "cni_multus.linux.netlink",
    "cni_multus.linux.netns",
    "cni_multus.marks",
    "cni_multus.masquerade",
    "cni_multus.masquerade.backends",
    "cni_multus.plugin",
    "cni_multus.plugin.interface",
    "cni_multus.plugin.ipam",
    "cni_multus.state",
    "cni_multus.state.addressindex",
    "cni_multus.state.blocks",
    "cni_multus.state.datadir",
    "cni_multus.state.files",
    "cni_multus.state.lock",
    "cni_multus.state.ownerindex",
    "cni_multus.state.owners",
    "cni_multus.state.reservations",
    "cni_multus.undo",
    "ipam",
    "ipam.host_local",
    "ipam.host_local.plugin",
    "plugins",
    "plugins.bridge",
}

# What a port is made of, and compared with.
PORT = {
    "cni_multus.bridging",
    "cni_multus.bridging.gateways",
    "cni_multus.bridging.ports",
    "cni_multus.bridging.vlans",
    "cni_multus.linux.bridges",
    "cni_multus.linux.bridgevlans",
    "cni_multus.linux.exclusion",
    "cni_multus.linux.forwarding",
    "cni_multus.linux.sharedbridge",
    "cni_multus.linux.sysctl",
}

# What ipMasq needs besides, with nftables; a DEL that finds what it looks for needs no more.
MASQUERADE = {
    "cni_multus.linux.exclusion",
    "cni_multus.linux.expressions",
    "cni_multus.linux.nftables",
    "cni_multus.linux.nftdata",
    "cni_multus.linux.nftlists",
    "cni_multus.masquerade.nftables",
}

RANGES = {"ipam.host_local.config", "ipam.host_local.ranges"}
ROUTES = {"cni_multus.linux.routeinfo", "cni_multus.linux.routes"}

# What sbr needs for every verb; the interface's own plugin has nothing to do then.
SBR = {
    "cni_multus.plugin.chained",
    "cni_multus.linux.exclusion",
    "cni_multus.linux.routetables",
    "cni_multus.linux.rules",
    "cni_multus.routing",
    "cni_multus.routing.sourcerouting",
    "cni_multus.state.backups",
    "plugins.sbr",
    *ROUTES,
}

TUNING = {
    "cni_multus.plugin.chained",
    "cni_multus.linux.attributes",
    "cni_multus.linux.sysctl",
    "cni_multus.state.backups",
    "plugins.tuning",
}
SETTINGS = {"cni_multus.linux.settings", "cni_multus.state.allowlist"}
BANDWIDTH = {
    "_sha512",
    "cni_multus.hashes",
    "cni_multus.plugin.chained",
    "cni_multus.linux.nsid",
    "cni_multus.linux.shaping",
    "cni_multus.linux.traffic",
    "plugins.bandwidth",
}

# What portmap needs for every verb, and for those that are told the ports.
PORTMAP = {
    "cni_multus.plugin.chained",
    "cni_multus.linux.conntrack",
    "cni_multus.linux.exclusion",
    "cni_multus.linux.nftables",
    "cni_multus.linux.nftdata",
    "cni_multus.linux.nftlists",
    "cni_multus.portmaps",
    "cni_multus.portmaps.connections",
    "cni_multus.portmaps.hostport",
    "cni_multus.portmaps.release",
    "plugins.portmap",
}
PORTS = {
    "_sha512",
    "cni_multus.hashes",
    "cni_multus.linux.expressions",
    "cni_multus.linux.localnet",
    "cni_multus.linux.routeinfo",
    "cni_multus.linux.sysctl",
    "cni_multus.portmaps.holding",
    "cni_multus.portmaps.requested",
    "cni_multus.portmaps.rules",
}

# What whereabouts needs for every verb, with files of the node; neither ranges nor anything of an API server.
WHEREABOUTS = {
    "_sha512",
    "cni_multus.hashes",
    "cni_multus.state.blocks",
    "cni_multus.state.leases",
    "cni_multus.state.leases.change",
    "cni_multus.state.leases.clock",
    "cni_multus.state.leases.hint",
    "cni_multus.state.leases.layout",
    "cni_multus.state.leases.lease",
    "cni_multus.state.leases.links",
    "cni_multus.state.leases.meta",
    "cni_multus.state.leases.names",
    "cni_multus.state.leases.record",
    "cni_multus.state.leases.store",
    "ipam.whereabouts",
    "ipam.whereabouts.engine",
    "ipam.whereabouts.engines",
    "ipam.whereabouts.onnode",
    "ipam.whereabouts.plugin",
}
WHEREABOUTS_RANGES = {
    "ipam.whereabouts.config",
    "ipam.whereabouts.datastore",
    "ipam.whereabouts.flatfile",
    "ipam.whereabouts.holder",
    "ipam.whereabouts.names",
    "ipam.whereabouts.parsing",
    "ipam.whereabouts.policy",
    "ipam.whereabouts.pool",
    "ipam.whereabouts.ranges",
    "ipam.whereabouts.requested",
}
WHEREABOUTS_ADD = {
    "cni_multus.state.leases.cooling",
    "cni_multus.state.leases.disk",
    "cni_multus.state.leases.past",
    "ipam.whereabouts.taking",
}
WHEREABOUTS_CHECK = {
    "cni_multus.state.leases.cooling",
    "cni_multus.state.leases.past",
    "ipam.whereabouts.taking",
    "ipam.whereabouts.verifying",
}

FOR_ADD = {
    "cni_multus.interface",
    "cni_multus.linux.announce",
    "cni_multus.linux.interfaces",
    "ipam.host_local.allocation",
    *PORT,
    *RANGES,
    *ROUTES,
}

FOR_CHECK = {"cni_multus.differences", *PORT, *RANGES, *ROUTES}

META = {
    "cni_multus.multus",
    "cni_multus.multus.detach",
    "cni_multus.multus.former",
    "cni_multus.multus.log",
    "cni_multus.multus.plan",
    "cni_multus.multus.records",
    "cni_multus.multus.settings",
    "cni_multus.multus.verbs",
    "cni_multus.network",
    "cni_multus.spent",
    "cni_multus.state.journal",
    "cni_multus.state.lines",
    "plugins.macvlan",
}

META_ADD = {
    "cni_multus.linux.linkdata",
    "cni_multus.masters",
    "cni_multus.multus.adding",
    "cni_multus.multus.attach",
    "cni_multus.multus.kubernetes",
    "cni_multus.multus.status",
    "cni_multus.multus.wanted",
}


@dataclass
class Trace:
    """What one request loaded, executed and answered."""

    modules: set[str]
    programs: set[str]
    answer: str

    def outside(self, *allowed: set[str]) -> list[str]:
        """The modules that are in none of the sets."""
        return sorted(self.modules.difference(*allowed))


class Call(Protocol):
    def __call__(self, command: str, **more: object) -> Trace: ...


def module(path: str) -> str:
    """The dotted name of what a path inside the bundle holds."""
    return path.removeprefix("python3.11/lib-dynload/").removesuffix("/__init__").replace("/", ".")


def standard_modules(trace: str) -> set[str]:
    """What was imported of the standard library."""
    return set(map(module, MODULE.findall(trace)))


def own_modules(trace: str) -> set[str]:
    """What was imported of ours."""
    index = read_index(PROGRAM.parent / "_internal" / modules.NAME)
    names = {(length, offset): name for name, (_, offset, length) in index.items()}
    read = {(int(length), int(offset)) for length, offset in OURS.findall(trace)}
    return {names[piece] for piece in read if piece in names}


@pytest.fixture
def bridge(tmp_path: Path, netns: Callable[[str], str]) -> Call:
    """Call the program as a runtime calls a plugin named bridge, on a node and for a pod of their own."""
    node, pod = netns("node"), netns("pod")
    for kind in ("bridge", "multus", "sbr", "tuning", "bandwidth", "portmap"):
        (tmp_path / kind).symlink_to(PROGRAM)
    config = {
        "cniVersion": "1.1.0",
        "name": "startup",
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "dataDir": str(tmp_path / "addresses")},
    }

    def call(command: str, **more: object) -> Trace:
        log = tmp_path / "trace"
        link = tmp_path / str(more.get("type", "bridge"))
        strace = ["strace", "-f", "-e", "trace=openat,execve,pread64", "-s", "256", "-o", str(log), str(link)]
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": "pod-1",
            "CNI_NETNS": pod,
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(tmp_path),
        }
        result = subprocess.run(
            ["nsenter", f"--net={node}", *strace],
            env=environment,
            input=json.dumps({**config, **more}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        text = log.read_text()
        return Trace(standard_modules(text) | own_modules(text), set(EXECUTED.findall(text)), result.stdout)

    return call


def test_the_trace_sees_imports(bridge: Call) -> None:
    seen = bridge("VERSION").modules
    assert {"encodings.utf_8", "cni_multus.registry"} <= seen
    assert {"_json", "cni_multus.cni.conversation", "plugins.bridge"} <= bridge("ADD").modules


def test_version_imports_next_to_nothing(bridge: Call) -> None:
    assert bridge("VERSION").outside(INTERPRETER, VERSION) == []


def test_a_plugin_imports_what_its_verb_needs(bridge: Call) -> None:
    added = bridge("ADD")
    previous = json.loads(added.answer)
    assert added.outside(INTERPRETER, PROTOCOL, BRIDGE, FOR_ADD) == []
    assert bridge("CHECK", prevResult=previous).outside(INTERPRETER, PROTOCOL, BRIDGE, FOR_CHECK) == []
    assert bridge("DEL", prevResult=previous).outside(INTERPRETER, PROTOCOL, BRIDGE) == []


def test_whereabouts_imports_what_its_verb_needs(bridge: Call, tmp_path: Path) -> None:
    ipam = {"type": "whereabouts", "range": "10.1.0.0/24", "gateway": "10.1.0.1", "dataDir": str(tmp_path / "leases")}
    added = bridge("ADD", ipam=ipam)
    previous = json.loads(added.answer)
    checked = bridge("CHECK", ipam=ipam, prevResult=previous)
    deleted = bridge("DEL", ipam=ipam, prevResult=previous)
    own = INTERPRETER | PROTOCOL | BRIDGE | WHEREABOUTS
    assert added.outside(own, FOR_ADD, WHEREABOUTS_RANGES, WHEREABOUTS_ADD) == []
    assert checked.outside(own, FOR_CHECK, WHEREABOUTS_RANGES, WHEREABOUTS_CHECK) == []
    assert deleted.outside(own) == []


def test_ipmasq_with_nftables_imports_little_and_executes_nothing(bridge: Call) -> None:
    added = bridge("ADD", ipMasq=True)
    deleted = bridge("DEL", ipMasq=True)
    assert added.outside(INTERPRETER, PROTOCOL, BRIDGE, FOR_ADD, MASQUERADE) == []
    assert deleted.outside(INTERPRETER, PROTOCOL, BRIDGE, MASQUERADE) == []
    assert {Path(program).name for trace in (added, deleted) for program in trace.programs} == {"bridge", "multus"}


def test_a_chained_plugin_imports_what_its_verb_needs(bridge: Call, tmp_path: Path) -> None:
    more = {"type": "sbr", "dataDir": str(tmp_path / "routing"), "prevResult": json.loads(bridge("ADD").answer)}
    assert bridge("ADD", **more).outside(INTERPRETER, PROTOCOL, BRIDGE, SBR, {"cni_multus.routing.sourceplan"}) == []
    assert bridge("CHECK", **more).outside(INTERPRETER, PROTOCOL, BRIDGE, SBR) == []
    assert bridge("DEL", **more).outside(INTERPRETER, PROTOCOL, BRIDGE, SBR) == []


def test_tuning_imports_what_its_verb_needs(bridge: Call, tmp_path: Path) -> None:
    """Regular expressions are for nodes that have an allow-list."""
    assert not Path("/etc/cni/tuning/allowlist.conf").exists()
    asked = {"type": "tuning", "dataDir": str(tmp_path / "data"), "mtu": 1400, "sysctl": {"net.core.somaxconn": "77"}}
    previous = json.loads(bridge("ADD").answer)
    for command, more in (("ADD", SETTINGS), ("CHECK", SETTINGS), ("DEL", set[str]())):
        assert bridge(command, **asked, prevResult=previous).outside(INTERPRETER, PROTOCOL, BRIDGE, TUNING, more) == []


def test_bandwidth_imports_what_its_verb_needs(bridge: Call) -> None:
    asked = {"type": "bandwidth", "egressRate": 8_000_000, "egressBurst": 800_000}
    previous = json.loads(bridge("ADD").answer)
    for command, more in (("ADD", {"cni_multus.linux.sysctl"}), ("CHECK", set[str]()), ("DEL", set[str]())):
        assert (
            bridge(command, **asked, prevResult=previous).outside(INTERPRETER, PROTOCOL, BRIDGE, BANDWIDTH, more) == []
        )


def test_portmap_imports_what_its_verb_needs_and_executes_nothing(bridge: Call) -> None:
    ports = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
    asked = {
        "type": "portmap",
        "runtimeConfig": {"portMappings": ports},
        "prevResult": json.loads(bridge("ADD").answer),
    }
    for command, more in (("ADD", PORTS), ("CHECK", PORTS), ("DEL", set[str]())):
        trace = bridge(command, **asked)
        assert trace.outside(INTERPRETER, PROTOCOL, BRIDGE, PORTMAP, more) == []
        assert {Path(program).name for program in trace.programs} == {"portmap", "multus"}


def test_the_meta_plugin_imports_what_its_networks_need(bridge: Call, tmp_path: Path) -> None:
    for command in ("ADD", "DEL"):
        bridge(command, ipam={})  # the bridge stays: it is the macvlan's master
    ipam = {"type": "host-local", "dataDir": str(tmp_path / "addresses")}
    delegates = [
        {"name": "pods", "type": "bridge", "ipam": {**ipam, "subnet": "10.1.0.0/24"}},
        {"name": "lan", "type": "macvlan", "master": "cni0", "ipam": {**ipam, "subnet": "10.2.0.0/24"}},
    ]
    more = {"type": "multus", "cniDir": str(tmp_path / "records"), "delegates": delegates}
    assert bridge("ADD", **more).outside(INTERPRETER, PROTOCOL, BRIDGE, FOR_ADD, META, META_ADD) == []
    assert bridge("DEL", **more).outside(INTERPRETER, PROTOCOL, BRIDGE, META) == []


def test_bundled_plugins_are_called_not_executed(bridge: Call) -> None:
    """Only ours runs: by the link's name, and again by its own, since PyInstaller's loader starts itself anew."""
    names = [Path(program).name for program in bridge("ADD").programs]
    assert sorted(names) == ["bridge", "multus"]
