"""Pods of a node whose configuration was generated: what the runtime reads is what the plugin is given."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.node.configure import Configuration, configure
from cni_multus.node.generate import Options
from tests.nodes.kit import Site, primary
from tests.pods import make_pod, node, pod

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

__all__ = ["make_pod", "node", "pod"]


def as_runtime(path: Path) -> dict[str, Any]:
    """What a runtime gives to the plugin: the file, or of a list its one member under the list's name."""
    document = json.loads(path.read_text())
    if "plugins" not in document:
        return dict(document)
    [member] = document["plugins"]
    return {**member, "name": document["name"], "cniVersion": document["cniVersion"]}


@pytest.mark.parametrize("version", ["0.3.1", "1.0.0"])
@pytest.mark.parametrize("override", [False, True])
def test_a_pod_gets_the_primarys_network(node: Node, pod: Pod, tmp_path: Path, version: str, override: bool) -> None:
    net_d = tmp_path / "net.d"
    net_d.mkdir()
    plugins = [node.bridge()]
    (net_d / "10-pods.conflist").write_text(json.dumps({"cniVersion": version, "name": "pods", "plugins": plugins}))
    more = {"cniDir": str(tmp_path / "cni")}
    options = Options(override_name=override, bin_dir=str(node.bin_dir), more=more)
    done = configure("/", Configuration(str(net_d), str(net_d), options=options))
    config = as_runtime(net_d / done.path.rpartition("/")[2])
    assert node.call("ADD", config, pod).succeeded().document["cniVersion"] == version
    assert pod.links() == {"eth0": "veth"}
    (net_d / "10-pods.conflist").unlink()
    for _ in range(2):
        node.call("DEL", config, pod).succeeded()
    assert pod.links() == {}
    assert "10-pods.conflist" in node.call("ADD", config, pod).failed(7)


def test_the_command_does_it_once_and_says_what(site: Site) -> None:
    nothing = site.run("configure")
    assert (nothing.returncode, nothing.stderr) == (1, "")
    assert nothing.stdout.startswith("there is no configuration of a primary CNI in /etc/cni/net.d")
    site.put("10-calico.conflist")
    dry = site.run("configure", "--dry-run")
    assert dry.stdout.startswith(
        "would write /etc/cni/net.d/00-multus.conf, from /etc/cni/net.d/10-calico.conflist:\n{"
    )
    assert site.names() == ["10-calico.conflist"]
    assert (
        site.run("configure").stdout
        == "created /etc/cni/net.d/00-multus.conf, from /etc/cni/net.d/10-calico.conflist\n"
    )
    site.put("10-calico.conflist", "{")
    broken = site.run("configure")
    assert (broken.returncode, broken.stdout) == (4, "")
    assert re.fullmatch(
        r"multus node configure: /etc/cni/net.d/10-calico.conflist cannot be the primary's configuration: .*\n",
        broken.stderr,
    )


def test_the_entrypoints_options_mean_the_same(site: Site) -> None:
    """As a values file has them: paths of the container, booleans behind an equals sign."""
    site.put("10-calico.conflist", primary("10-calico.conflist"))
    host = str(site.root)
    done = site.run(
        "configure",
        f"--cni-conf-dir={host}/etc/cni/net.d",
        f"--multus-autoconfig-dir={host}/etc/cni/net.d",
        "--multus-conf-file=auto",
        "--multus-master-cni-file-name=10-calico.conflist",
        "--multus-kubeconfig-file-host=/etc/cni/net.d/multus.d/multus.kubeconfig",
        "--namespace-isolation=true",
        "--global-namespaces=default,net",
        "--multus-log-to-stderr=false",
        "--multus-log-level=Verbose",
        "--multus-log-file=/var/log/multus.log",
        "--override-network-name=true",
        "--cni-version=0.3.1",
        "--force-cni-version=false",
        "--rename-conf-file=false",
        "--readiness-indicator-file=/run/ready",
        "--additional-bin-dir=/opt/more",
        f"--multus-cni-conf-dir={host}/etc/cni/multus/net.d",
        "--multus-conf-key=retryDeleteOnError=true",
    )
    assert (done.returncode, done.stderr) == (0, "")
    written = site.ours()
    del written["multus.io/generated"], written["capabilities"]
    assert written == {
        "cniVersion": "0.3.1",
        "name": "k8s-pod-network",
        "type": "multus",
        "kubeconfig": "/etc/cni/net.d/multus.d/multus.kubeconfig",
        "binDir": "/opt/more",
        "confDir": "/etc/cni/multus/net.d",
        "namespaceIsolation": True,
        "globalNamespaces": "default,net",
        "readinessindicatorfile": "/run/ready",
        "logLevel": "verbose",
        "logFile": "/var/log/multus.log",
        "logToStderr": False,
        "retryDeleteOnError": True,
        "clusterNetwork": "/etc/cni/net.d/10-calico.conflist",
    }


@pytest.mark.parametrize(
    ("argument", "why"),
    [
        ("--cni-conf-dir=net.d", "--cni-conf-dir: 'net.d' is not an absolute path"),
        ("--multus-master-cni-file-name=../x", "is a path"),
        ("--multus-log-level=loud", "none of debug, verbose, info, error, panic"),
        ("--cni-version=7", "--cni-version: '7' is none of"),
        ("--force-cni-version", "--force-cni-version: say which"),
        ("--rename-conf-file=maybe", "neither true nor false"),
        ("--multus-conf-key=name=1", "has an option of its own"),
        ("--multus-conf-key=x", "is not KEY=JSON"),
        ("--multus-conf-key=x={", "the value of x is not JSON"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_line(site: Site, argument: str, why: str) -> None:
    done = site.run("configure", argument)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
