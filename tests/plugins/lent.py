"""What the tests of host-device have in common: a device of the node, and its configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.plugins.runtime import Runtime

MAC = "02:00:5e:00:00:01"
OTHER_MAC = "02:00:5e:00:00:02"


def add_device(node: Runtime, name: str = "dev0", mac: str = MAC) -> None:
    """A veth end, up, with what an administrator may have given it; its peer is `to-<name>`."""
    node.shown.run(f"ip link add {name} address {mac} mtu 1450 type veth peer name to-{name}")
    node.shown.run(f"ip link set {name} alias storage && ip link set to-{name} up && ip link set {name} up")


def host_device(node: Runtime, version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    """dev0, unless `more` says which device is meant."""
    chosen = {} if {"device", "hwaddr", "kernelpath", "pciBusID", "runtimeConfig"} & set(more) else {"device": "dev0"}
    data_dir = str(node.root / "host-device")
    return {"cniVersion": version, "name": "blue", "type": "host-device", "dataDir": data_dir, **chosen, **more}


def on_record(node: Runtime) -> list[str]:
    """The names of the files of what is on loan."""
    directory = node.root / "host-device"
    return sorted(path.name for path in directory.glob("*.json")) if directory.exists() else []
