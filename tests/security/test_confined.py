"""What definitions of the API may name of the node: files of their plugins, and what the node's configuration adds."""

from __future__ import annotations

import importlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.nads.confined import OWN_DIRECTORIES, PLACES, refuse_foreign_paths
from cni_multus.nads.definition import Definition
from cni_multus.nads.sources import FileDefinitions
from cni_multus.registry import MODULES
from tests.named import TESTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

ROOT = TESTS.parent
OPENS = re.compile(r"\bread\(.*follow=True|wrong_with_path|os\.open")
KUBECONFIG = "/etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig"

FREE: list[dict[str, Any]] = [
    {"type": "macvlan", "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "dataDir": "/var/lib/cni/networks"}},
    {"type": "macvlan", "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "dataDir": ""}},
    {"type": "macvlan", "ipam": {"type": "host-local", "resolvConf": "/etc/resolv.conf"}},
    {"type": "macvlan", "ipam": {"type": "whereabouts", "configuration_path": "/etc/cni/net.d/whereabouts.d"}},
    {"type": "macvlan", "ipam": {"type": "whereabouts", "kubernetes": {"kubeconfig": KUBECONFIG}}},
    {"type": "macvlan", "ipam": {"type": "whereabouts", "log_file": "/tmp/whereabouts.log", "log_level": "debug"}},
    {
        "plugins": [
            {"type": "tuning", "dataDir": "/var/run/cni/tuning"},
            {"type": "sbr", "dataDir": "/run/multus//sbr/"},
        ]
    },
    {"type": "sriov", "logFile": "/var/log/sriov.log", "dataDir": "/var/lib/cni/sriov"},
    {"type": "macvlan", "master": "/etc", "dataDirectory": "/etc", "dataDir": None},
]
"""What definitions have that are out there, and what is no path of any plugin."""

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("ipam.dataDir", {"type": "macvlan", "ipam": {"type": "host-local", "dataDir": "/etc"}}),
    ("ipam.datadir", {"type": "macvlan", "ipam": {"type": "host-local", "datadir": "/root"}}),
    ("IPAM.dataDir", {"type": "macvlan", "IPAM": {"Type": "host-local", "dataDir": "/var/lib/cni/networks/red"}}),
    ("ipam.dataDir", {"type": "macvlan", "ipam": {"type": "static", "dataDir": "/var/lib/cni/networks"}}),
    (
        "ipam.dataDir",
        {"type": "macvlan", "ipam": {"type": "host-local", "dataDir": "/var/lib/cni/networks/../../../etc"}},
    ),
    ("ipam.dataDir", {"type": "macvlan", "ipam": {"type": "host-local", "dataDir": "var/lib/cni/networks"}}),
    (
        "plugins[1].dataDir",
        {"plugins": [{"type": "bridge"}, {"type": "tuning", "dataDir": "/var/lib/cni/multus/journal"}]},
    ),
    ("dataDir", {"type": "host-device", "dataDir": "/run/multus"}),
    ("dataDir", {"type": "sbr", "dataDir": "/run/multus/linked/../sbr"}),
    ("ipam.resolvConf", {"type": "macvlan", "ipam": {"type": "host-local", "resolvConf": "/etc/shadow"}}),
    (
        "ipam.configuration_path",
        {"type": "x", "ipam": {"type": "whereabouts", "configuration_path": "/var/lib/kubelet"}},
    ),
    ("ipam.kubernetes.kubeconfig", {"type": "x", "ipam": {"kubernetes": {"kubeconfig": "/etc/kubernetes/admin.conf"}}}),
    ("runtimeConfig.CNIDeviceInfoFile", {"type": "vdpa", "runtimeConfig": {"CNIDeviceInfoFile": "/etc/cron.d/x"}}),
    ("logFile", {"type": "sriov", "logFile": "/etc/cron.d/x"}),
    ("cniDir", {"type": "sriov", "cniDir": "/etc"}),
    ("dataDir", {"type": "../../etc", "dataDir": "/var/lib/cni/../../etc"}),
    ("ipam.log_file", {"type": "a-program", "ipam": {"type": "whereabouts", "log_file": "/etc/passwd"}}),
    ("delegates[0][1].dataDir", {"type": "x", "delegates": [[{}, {"type": "sbr", "dataDir": "/"}]]}),
]


def definition(config: dict[str, Any], *, of_api: bool = True) -> Definition:
    text = json.dumps({"cniVersion": "1.0.0", "name": "red", **config})
    return Definition("blue", "red", text, of_api=of_api)


def networked(made: Definition, *allowed: str) -> str:
    return made.network("/nonexistent", "", lambda _: None, allowed).name


@pytest.mark.parametrize("config", FREE, ids=str)
def test_the_plugins_own_places_may_be_named(config: dict[str, Any]) -> None:
    assert networked(definition(config)) == "red"


@pytest.mark.parametrize(("where", "config"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_any_other_place_is_refused_by_its_path(where: str, config: dict[str, Any]) -> None:
    with pytest.raises(InvalidNetworkConfig) as caught:
        networked(definition(config))
    assert caught.value.message.startswith(f"NetworkAttachmentDefinition blue/red: {where}: ")
    assert "nadPaths" in caught.value.message


@pytest.mark.parametrize(("where", "config"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_definition_in_a_file_of_the_node_may_name_anything(where: str, config: dict[str, Any]) -> None:
    del where
    assert networked(definition(config, of_api=False)) == "red"


def test_the_nodes_configuration_allows_more() -> None:
    config = {"type": "macvlan", "ipam": {"type": "host-local", "dataDir": "/srv/state/red"}}
    assert networked(definition(config), "/srv/state") == "red"
    assert networked(definition(config), "/") == "red"
    for other in ("/srv/stat", "/srv/state/red/more", "/var"):
        with pytest.raises(InvalidNetworkConfig, match="dataDir"):
            networked(definition(config), other)


def test_a_long_path_is_told_in_part() -> None:
    with pytest.raises(InvalidNetworkConfig) as caught:
        refuse_foreign_paths({"type": "tuning", "dataDir": "/x\n" * 100_000})
    assert len(caught.value.message) < 1000
    assert caught.value.message.isprintable()


def test_definitions_in_files_are_the_nodes(tmp_path: Path) -> None:
    document = {
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "red", "namespace": "blue"},
        "spec": {"config": json.dumps(REFUSED[0][1])},
    }
    (tmp_path / "red.json").write_text(json.dumps(document))
    found = FileDefinitions(str(tmp_path)).find("blue", "red")
    assert not found.of_api
    assert networked(found) == "blue_red"


def test_the_directories_are_those_that_the_plugins_have() -> None:
    has = {}
    for kind, place in MODULES.items():
        module = importlib.import_module(place.partition(":")[0])
        directory = getattr(module, "DATA_DIR", None)
        if directory:
            has[kind] = directory
    assert has == OWN_DIRECTORIES


NAMED_BY = {
    "ipam/host_local/resolvconf.py": "resolvConf",
    "ipam/whereabouts/datastore.py": "kubeconfig",
    "ipam/whereabouts/flatfile.py": "configuration_path",
}
"""Modules of plugins that open what a configuration names, and by which key; a state's directory is `dataDir`."""


def test_no_other_key_of_a_plugin_names_a_file() -> None:
    """Whoever gives a plugin another key of this kind has to say where it may lead."""
    found = {
        str(path.relative_to(ROOT))
        for top in ("plugins", "ipam")
        for path in (ROOT / top).rglob("*.py")
        if OPENS.search(path.read_text())
    }
    assert found == NAMED_BY.keys()
    assert {key.lower() for key in NAMED_BY.values()} <= PLACES.keys()


@pytest.mark.parametrize("value", ["state", ["/x", 7], ["x"]])
def test_places_that_are_none_are_refused(node: Node, pod: Pod, value: object) -> None:
    code = 7 if value == ["x"] else 6
    assert "nadPaths" in node.call("ADD", node.config(node.bridge(), nadPaths=value), pod).failed(code)
    node.call("DEL", node.config(node.bridge(), nadPaths=value), pod).succeeded()
