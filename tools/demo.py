"""The main job, shown: a pod with three networks on a node of its own, from ADD to DEL, and that nothing is left.

The demonstration runs in a network and a mount namespace that stand for a node, with an empty /run for its files. The
kernel takes all of it away when the process ends, however it ends.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "dist" / "multus" / "multus"
INSIDE = "--inside"
FILES = Path("/run/demo")
CONFIG = FILES / "00-multus.conf"
CONTAINER = "3f9a2c41d7e5"


class Failed(Exception):
    """A step did not end as it should; the message says which."""


def title(text: str) -> None:
    """A heading."""
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def show(text: str) -> None:
    """Output, indented under the command that it is of."""
    for line in text.rstrip().splitlines():
        print(f"    {line.rstrip()}")


def run(command: str, *, stdin: Path | None = None, **environment: str) -> str:
    """Run a command, print it and what it prints; raises Failed where it fails."""
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
    source = f" < {stdin}" if stdin else ""
    print(f"$ {variables + ' ' if variables else ''}{command.replace(f'{ROOT}/', '')}{source}", flush=True)
    done = subprocess.run(
        shlex.split(command),
        input=stdin.read_text() if stdin else "",
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], **environment},
    )
    show(done.stdout + done.stderr)
    if done.returncode:
        raise Failed(f"{shlex.split(command)[0]} ended with status {done.returncode}")
    return done.stdout


def make_node() -> None:
    """The uplink ens5 of this namespace, the pod's namespace, and a host at the other end of the uplink."""
    run("ip link set lo up")
    run("ip netns add pod")
    run("ip netns add lan")
    run("ip link add ens5 up type veth peer name eth0 netns lan")
    run("ip -n lan link set eth0 up")
    run("ip -n lan address add 192.168.1.1/24 dev eth0")
    run("ip -n lan address add 192.168.2.1/24 dev eth0")


def configuration() -> dict[str, Any]:
    """What an operator writes; only the directories are others than the defaults."""

    def host_local(subnet: str, **more: object) -> dict[str, object]:
        return {"type": "host-local", "dataDir": f"{FILES}/networks", "subnet": subnet, **more}

    default = [{"dst": "0.0.0.0/0"}]
    reserved = {"rangeStart": "192.168.1.200", "rangeEnd": "192.168.1.216", "gateway": "192.168.1.1"}
    primary = {"name": "primary", "type": "bridge", "bridge": "cni0", "isGateway": True}
    storage = {"name": "storage", "type": "macvlan", "master": "ens5", "mode": "bridge"}
    backup = {"name": "backup", "type": "macvlan", "master": "ens5", "mode": "bridge"}
    return {
        "cniVersion": "1.1.0",
        "name": "multus-cni-network",
        "type": "multus",
        "cniDir": f"{FILES}/multus",
        "delegates": [
            {**primary, "ipam": host_local("10.244.0.0/24", routes=default)},
            {**storage, "ipam": host_local("192.168.1.0/24", **reserved, routes=default)},
            {**backup, "ipam": host_local("192.168.2.0/24", rangeStart="192.168.2.100")},
        ],
    }


def call(verb: str) -> str:
    """Call the program as the node's runtime does."""
    return run(
        str(PROGRAM),
        stdin=CONFIG,
        CNI_COMMAND=verb,
        CNI_CONTAINERID=CONTAINER,
        CNI_NETNS="/run/netns/pod",
        CNI_IFNAME="eth0",
        CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=demo",
        CNI_PATH="/opt/cni/bin",
    )


def show_status() -> None:
    """What the annotation k8s.v1.cni.cncf.io/network-status will say: it is in the record of the ADD."""
    from cni_multus.state.journal import Journal

    journal = Journal(f"{FILES}/multus")
    record = journal.find(CONTAINER, "eth0")
    entries = [entry for attachment in record.attachments for entry in attachment.status] if record else []
    print(f"# from the record of the ADD, {journal.path(CONTAINER, 'eth0')}")
    show(json.dumps(entries, indent=4))
    if [entry["interface"] for entry in entries] != ["eth0", "net1", "net2"]:
        raise Failed("network-status does not list eth0, net1 and net2")


def require_nothing_left() -> None:
    """Raise Failed where a link, an address or a record remains; the bridge stays, as it is the next pod's too."""
    pod = run("ip -n pod -br link")
    node = run("ip -br link")
    run(f"ls {FILES}/networks/primary {FILES}/networks/storage {FILES}/networks/backup {FILES}/multus/journal")
    names = [line.split()[0].partition("@")[0] for line in (pod + node).splitlines()]
    reserved = [path for path in FILES.glob("networks/*/*") if path.name[0].isdigit()]
    records = list(FILES.glob("multus/journal/*"))
    if sorted(names) != ["cni0", "ens5", "lo", "lo"] or reserved or records:
        raise Failed(f"something is left: {names} {reserved} {records}")
    print(
        "# the pod has no link, the node has the bridge for the next pod; no address is reserved, nothing is on record"
    )


def demonstrate() -> None:
    """ADD, look, CHECK, DEL, look."""
    title("This namespace is a node; a pod, and a host on the node's segment")
    make_node()
    title("What the operator wrote")
    FILES.mkdir()
    CONFIG.write_text(json.dumps(configuration(), indent=4))
    run(f"cat {CONFIG}")
    title("ADD, as the runtime calls it; it gets the primary network's result")
    call("ADD")
    title("What the pod has: eth0 keeps the default route, though net1's IPAM brings one as well")
    run("ip -n pod address")
    run("ip -n pod route")
    title("What network-status says")
    show_status()
    title("It works: the gateway by eth0, the host on the node's segment by net1 and net2")
    run("ip netns exec pod ping -c 1 -W 3 -I eth0 10.244.0.1")
    run("ip netns exec pod ping -c 1 -W 3 -I net1 192.168.1.1")
    run("ip netns exec pod ping -c 1 -W 3 -I net2 192.168.2.1")
    title("CHECK: all is as it was attached, so it says nothing")
    call("CHECK")
    title("DEL says nothing either")
    call("DEL")
    title("What is left")
    require_nothing_left()
    run("ip netns delete pod")
    run("ip netns delete lan")


def main() -> int:
    """The exit status."""
    if os.geteuid() != 0:
        sys.exit("demo: run as root: it makes network namespaces")
    if not PROGRAM.exists():
        sys.exit("demo: there is no program yet: make build")
    if INSIDE not in sys.argv:
        os.execvp("unshare", ["unshare", "--net", "--mount", "--", sys.executable, __file__, INSIDE])
    subprocess.run(["mount", "-t", "tmpfs", "demo", "/run"], check=True)
    try:
        demonstrate()
    except Failed as error:
        sys.exit(f"\ndemo: {error}")
    except KeyboardInterrupt:
        sys.exit("\ndemo: interrupted")
    print("# this process is the last one in the node's namespaces: they go with it")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
