"""Files that the program, libcni, other programs of CNI or the kubelet left: journals, caches, spools."""

from __future__ import annotations

import json
from base64 import b64encode
from binascii import crc32
from typing import TYPE_CHECKING

from cni_multus import deviceinfo
from cni_multus.cni.request import Attachment, Request
from cni_multus.events.spool import Spool
from cni_multus.multus import takeover
from cni_multus.podresources import checkpoint as kubelet_checkpoint
from cni_multus.state import libcni_cache
from cni_multus.state.backups import Backups
from cni_multus.state.journal import Journal
from tests.fuzz.sandbox import SCRATCH
from tests.fuzz.seeds import CONFLISTS, RESULT, printed
from tests.fuzz.target import target
from tests.fuzz.trial import unfailing

if TYPE_CHECKING:
    from collections.abc import Iterable

ENVIRONMENT = {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0"}


def checked_line(body: bytes) -> bytes:
    """A line of a journal as it is written; what does not look like JSON is the file itself."""
    return b"\n%08x %s\n" % (crc32(body), body) if body[:1] in (b"{", b"[") else body


def journals() -> Iterable[bytes]:
    attachment = {
        "network": {"name": "net", "type": "macvlan", "master": "eth0"},
        "version": "1.1.0",
        "ifname": "net1",
        "capabilities": {"ips": ["10.0.0.1/24"]},
        "arguments": {"IP": "10.0.0.1"},
        "label": "default/net",
        "result": RESULT,
        "status": [{"name": "default/net", "interface": "net1", "ips": ["10.0.0.1"]}],
    }
    record = {
        "format": 1,
        "containerID": "c1",
        "ifname": "eth0",
        "netns": "/run/netns/x",
        "netnsID": "4:40265",
        "arguments": {"K8S_POD_NAME": "web"},
        "boot": "4f2a",
        "created": 1790000000,
        "complete": True,
        "failed": False,
        "attachments": [attachment],
    }
    yield printed(record)
    yield b"\n00000000 {}\n"
    yield checked_line(printed(record)) + b"\n1234"


@target(5, 6, 7, 1, seeds=journals)
def journal(data: bytes) -> None:
    directory = SCRATCH / "journal"
    directory.mkdir()
    (directory / "c1@eth0").write_bytes(checked_line(data))
    found = Journal(str(SCRATCH)).find("c1", "eth0")
    if found is not None:
        json.dumps(found.to_json())
        Journal(str(SCRATCH)).write(found)
        again = Journal(str(SCRATCH)).find("c1", "eth0")
        assert again is not None
        assert again.to_json() == found.to_json(), "what is written is not what is read"


def cache_entries() -> Iterable[bytes]:
    for config in CONFLISTS[:4]:
        yield printed(
            {
                "kind": "cniCacheV1",
                "containerId": "c1",
                "config": b64encode(config).decode(),
                "ifName": "eth0",
                "networkName": "net",
                "netns": "/run/netns/x",
                "cniArgs": [["K8S_POD_NAME", "web"]],
                "capabilityArgs": {"portMappings": [{"hostPort": 80}]},
                "result": RESULT,
            }
        )


@target(6, 7, seeds=cache_entries, words=("cniCacheV1", "e30=", "e30", "kind"))
def libcnicache(data: bytes) -> None:
    (SCRATCH / "net-c1-eth0").write_bytes(data)
    with unfailing("looking into the cache"):
        found = libcni_cache.entries(str(SCRATCH), container_id="c1")
        assert all(entry.container_id == "c1" for entry in found)
        known = libcni_cache.read(str(SCRATCH), "net", "c1", "eth0")
        if known is not None:
            libcni_cache.write(str(SCRATCH), known)
            assert libcni_cache.read(str(SCRATCH), "net", "c1", "eth0") is not None
            libcni_cache.remove(str(SCRATCH), known)
    libcni_cache.Entry.parse(data, "the entry")


def scratches() -> Iterable[bytes]:
    for config in CONFLISTS[:4]:
        encoded = b64encode(config).decode()
        yield printed(
            [
                {"Name": "net", "Bytes": encoded, "ifnameRequest": "eth0", "MasterPlugin": True},
                {"Conf": {}, "Bytes": encoded, "ipRequest": ["10.0.0.1/24"], "macRequest": "02:00:00:00:00:01"},
                {"Bytes": encoded, "infinibandGUIDRequest": "c2:11", "deviceID": "0000:01:00.0"},
            ]
        )
        yield next(iter(cache_entries()))


@target(6, seeds=scratches, words=("e30=", "Bytes", "Name", "net1"))
def goscratch(data: bytes) -> None:
    (SCRATCH / "results").mkdir()
    (SCRATCH / "c1").write_bytes(data)
    (SCRATCH / "results" / "net-c1-eth0").write_bytes(data)
    request = Request.of(ENVIRONMENT)
    record = takeover.find_record(str(SCRATCH), request)
    if record is not None:
        json.dumps(record.to_json())
    with unfailing("forgetting"):
        takeover.forget(str(SCRATCH), "c1")


def backup_files() -> Iterable[bytes]:
    owner = {"network": "net", "containerID": "c1", "ifname": "net1"}
    yield printed({**owner, "mac": "02:00:00:00:00:01", "promisc": True, "mtu": 1500, "sysctl": {"a": "1"}})
    home = {"name": "eth7", "index": 3, "mac": "02:00:00:00:00:01", "up": True, "mtu": 1500, "kind": ""}
    yield printed({**owner, "netns": "/run/netns/x", "cookie": 7, "home": home, "pciID": "0000:01:00.0", "driver": ""})
    yield printed({**owner, "table": 100, "rules": [{"priority": 100}], "routes": [{"dst": "0.0.0.0/0"}]})
    yield printed({**owner, "addresses": ["10.0.0.1"], "bridge": "cni0", "policy": "same-bridge", "backend": "nft"})


@target(seeds=backup_files)
def backups(data: bytes) -> None:
    from cni_multus.devices.loans import Loan, Loans

    (SCRATCH / "c1_net1.json").write_bytes(data)
    mine = Attachment("net", "c1", "net1")
    records = Backups(str(SCRATCH))
    for _, document in records.every():
        if (loan := Loan.parse(document)) is not None:
            again = Loan.parse(loan.to_json())
            assert again is not None
            assert again.to_json() == loan.to_json()
            loan.is_known_as("eth7")
    Loans(str(SCRATCH)).find(mine)
    records.of_network("net")
    records.collect("net", {("c1", "net1")}, lambda *_: None)
    records.forget(mine)


def events() -> Iterable[bytes]:
    event = {"kind": "Warning", "reason": "NoNetworkFound", "message": "m", "namespace": "default", "pod": "web"}
    yield printed({**event, "uid": "u1", "host": "node", "moment": 4102444800 * 10**9, "mark": "0123456789abcdef"})


@target(5, 6, 7, seeds=events)
def eventspool(data: bytes) -> None:
    (SCRATCH / "events").mkdir()
    name = "00000000000000000001-0123456789abcdef"
    (SCRATCH / "events" / name).write_bytes(data)
    spool = Spool(str(SCRATCH))
    assert spool.waiting() == [name]
    event = spool.read(name)
    assert event is not None
    json.dumps(event.document())
    assert event.name.endswith(event.mark)


def checkpoints() -> Iterable[bytes]:
    entry = {"PodUID": "u1", "ContainerName": "c", "ResourceName": "a/b", "DeviceIDs": {"-1": ["d1", "d2"]}}
    yield printed({"Data": {"PodDeviceEntries": [entry], "RegisteredDevices": {"a/b": ["d1"]}}, "Checksum": 1})
    yield printed({"Data": {"PodDeviceEntries": [{**entry, "DeviceIDs": ["d1"]}]}})


@target(5, 6, 7, seeds=checkpoints)
def checkpoint(data: bytes) -> None:
    (SCRATCH / "checkpoint").write_bytes(data)
    found = kubelet_checkpoint.read(str(SCRATCH / "checkpoint"), "u1")
    assert found is not None
    assert all(isinstance(each, str) for resource, ids in found.items() for each in (resource, *ids))


def infos() -> Iterable[bytes]:
    yield printed({"type": "pci", "version": "1.1.0", "pci": {"pci-address": "0000:01:00.0"}})
    yield printed({"type": "vhost-user", "version": "1.0.0", "vhost-user": {"mode": "client", "path": "/x"}})


@target(seeds=infos)
def deviceinfo_file(data: bytes) -> None:
    devices, ours = SCRATCH / "dp", SCRATCH / "cni"
    devices.mkdir()
    ours.mkdir()
    (devices / "a-b-d1-device.json").write_bytes(data)
    path = deviceinfo.path_for("default/net", "c1", "net1", str(SCRATCH))
    deviceinfo.hand_over("a/b", "d1", path)
    found = deviceinfo.read(path)
    assert found is None or (found["type"] and found["version"])
    deviceinfo.remove(path, str(SCRATCH))
    assert not list(ours.iterdir())
