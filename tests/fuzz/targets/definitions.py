"""What tenants and operators write: annotations, definitions of networks, configurations in directories."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cni_multus import confdir
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Request
from cni_multus.multus.settings import Settings
from cni_multus.multus.wanted import configured_here
from cni_multus.nads.definition import Definition
from cni_multus.nads.sources import FileDefinitions
from tests.fuzz.sandbox import SCRATCH
from tests.fuzz.seeds import CONFLISTS, MULTUS, printed
from tests.fuzz.target import target
from tests.nads.defined import KEYS, NAME, NAMESPACE
from tests.selection.asked import soundly

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.network import Network


def annotation_texts() -> Iterable[bytes]:
    element = {
        "name": "red",
        "namespace": "shop",
        "interface": "net1",
        "ips": ["10.0.0.5/24", "fd00::5"],
        "mac": "02:00:00:00:00:01",
        "infiniband-guid": "c2:11:22:33:44:55:66:77",
        "portMappings": [{"hostPort": 80, "containerPort": 80, "protocol": "tcp", "hostIP": "10.0.0.1"}],
        "bandwidth": {"ingressRate": 1000, "ingressBurst": 1000, "egressRate": 1000, "egressBurst": 1000},
        "cni-args": {"a": {"b": [1]}},
        "default-route": ["10.0.0.1"],
        "deviceID": "0000:01:00.0",
        "ipam-claim-reference": "web-0.red",
    }
    yield printed([element, {"name": "blue"}])
    yield b"red, shop/blue@net2,green"
    yield printed([{"name": "shop/red@x"}])


@target(seeds=annotation_texts)
def annotation(data: bytes) -> None:
    soundly(data.decode("utf-8", "surrogateescape"))


def definitions() -> Iterable[bytes]:
    for config in CONFLISTS[:5]:
        yield printed(
            {
                "apiVersion": "k8s.cni.cncf.io/v1",
                "kind": "NetworkAttachmentDefinition",
                "metadata": {
                    "name": NAME,
                    "namespace": NAMESPACE,
                    "annotations": {"k8s.v1.cni.cncf.io/resourceName": "a/b"},
                },
                "spec": {"config": config.decode()},
            }
        )


def _use(definition: Definition) -> None:
    network = definition.network(str(SCRATCH / "none"), "1.0.0", lambda reason: None)
    assert network.name
    assert network.types
    assert "multus" not in network.types
    print_compact(network.raw)


@target(7, seeds=definitions, words=KEYS)
def definition(data: bytes) -> None:
    try:
        document = parse_object(data, "the answer")
    except CniError:
        return
    _use(Definition.parse(document, NAMESPACE, NAME))


def manifest_files() -> Iterable[bytes]:
    yield from definitions()
    yield (
        b"apiVersion: k8s.cni.cncf.io/v1\nkind: NetworkAttachmentDefinition\nmetadata: {name: red, namespace: shop}\n"
        b'spec:\n  config: \'{"type":"macvlan","master":"eth0"}\'\n---\n&a x: *a\n---\n'
        b"items:\n- kind: x\n  m: {<<: y}\n"
    )
    yield b"---\nkind: List\nitems:\n- kind: NetworkAttachmentDefinition\n  metadata: {name: red, namespace: shop}\n"


@target(7, seeds=manifest_files, words=KEYS)
def manifests(data: bytes) -> None:
    for ending in ("yaml", "json"):
        directory = SCRATCH / ending
        directory.mkdir()
        (directory / f"a.{ending}").write_bytes(data)
        try:
            _use(FileDefinitions(str(directory)).find(NAMESPACE, NAME))
        except CniError:
            if ending == "json":
                raise


def networks() -> Iterable[bytes]:
    yield from CONFLISTS


@target(1, 6, 7, seeds=networks, words=("loadOnlyInlinedPlugins", "cniVersions", "disableCheck", "plugins", "type"))
def conflist(data: bytes) -> None:
    for name in ("a.conflist", "b.conf"):
        (SCRATCH / name).write_bytes(data)
    (SCRATCH / "folder").mkdir()
    (SCRATCH / "folder" / "c.conf").write_bytes(data)
    warned: list[str] = []
    for wanted in ("folder", _name_of(data)):
        try:
            _whole(confdir.find_network(str(SCRATCH), wanted, warned.append))
        except CniError as error:
            assert error.code in (1, 6, 7), error.code
    for name in ("a.conflist", "b.conf"):
        _whole(confdir.load_file(str(SCRATCH / name)))


def _name_of(data: bytes) -> str:
    try:
        return str(json.loads(data)["name"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return "net"


def _whole(network: Network) -> None:
    assert network.name
    assert all(network.types)
    print_compact(network.raw)


@target(
    1, 5, 6, 7, seeds=lambda: MULTUS, words=("clusterNetwork", "defaultNetworks", "delegates", "readinessindicatorfile")
)
def multusconf(data: bytes) -> None:
    for verb in ("DEL", "ADD"):
        environment = {"CNI_COMMAND": verb, "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "CNI_NETNS": "/run/netns/x"}
        request = Request.of(environment)
        request.read(data)
        settings = Settings(request)
        for directory in (settings.cni_dir, settings.bin_dir, settings.conf_dir):
            assert directory.startswith("/"), directory
            assert "/../" not in f"{directory}/"
        found, errors = configured_here(request, settings)
        assert all(wanted.network.name for wanted in found.values())
        assert all(error.code in (1, 5, 6, 7) for error in errors), errors
