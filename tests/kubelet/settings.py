"""What a node's programs are told: the kubelet's configuration, the meta-plugin's, and what an installer leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cluster.cluster import rule
from tests.cri.daemon import SOCKET
from tests.cri.image import IMAGE

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "192.0.2.10"
ROOT = "/var/lib/kubelet"
POD_SUBNET = "10.244.0.0/24"
POOLS = "kube-system"
"""The namespace where whereabouts has its pools."""
RESOURCE = "example.com/vf"
DEVICES = [f"0000:03:{slot:02}.{function}" for slot in (1, 2) for function in range(8)]
"""What the device plugin offers, named as PCI devices are."""

CHANGES = "get,list,create,patch,delete"
RIGHTS = (  # of the meta-plugin's account, in all namespaces: pods are everywhere
    rule("pods", "get"),
    rule("pods/status", "patch"),
    rule("network-attachment-definitions", "get"),
    rule("events", "create"),
)
RIGHTS_OF_WHEREABOUTS = (
    rule("ippools", CHANGES),
    rule("overlappingrangeipreservations", CHANGES),
)


SETTINGS = {  # the kernel's, on which a kubelet insists; it may not change the machine's
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}


def kubelet_config(cgroup: str, ca: Path, static_pods: Path) -> dict[str, Any]:
    """Nothing is done to the machine that can be left undone, and every period is short."""
    return {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "address": "127.0.0.1",
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(ca)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {
            "memory.available": "10Mi",
            **dict.fromkeys(("nodefs.available", "imagefs.available", "nodefs.inodesFree"), "0%"),
        },
        "eventRecordQPS": 0,
        "failSwapOn": False,
        "featureGates": {"LocalStorageCapacityIsolation": False},
        "fileCheckFrequency": "1s",
        "hairpinMode": "none",
        "imageGCHighThresholdPercent": 100,
        "kubeAPIBurst": 400,
        "kubeAPIQPS": 200,
        "makeIPTablesUtilChains": False,
        "nodeStatusUpdateFrequency": "1s",
        "protectKernelDefaults": True,
        "resolvConf": "",
        "runtimeRequestTimeout": "2m",
        "staticPodPath": str(static_pods),
        "syncFrequency": "1s",
    }


def kubelet_options(name: str, config: Path, kubeconfig: Path) -> list[str]:
    """The command line, for what has no place in the configuration."""
    options = {
        "config": config,
        "kubeconfig": kubeconfig,
        "root-dir": ROOT,
        "cert-dir": f"{ROOT}/pki",
        "hostname-override": name,
        "node-ip": ADDRESS,
        "container-runtime": "remote",
        "container-runtime-endpoint": f"unix://{SOCKET}",
        "image-service-endpoint": f"unix://{SOCKET}",
        "pod-infra-container-image": IMAGE,
        "v": 2,
    }
    return [f"--{option}={value}" for option, value in options.items()]


def multus_config(bin_dir: Path, kubeconfig: Path, **more: object) -> dict[str, Any]:
    """00-multus.conf."""
    return {
        "cniVersion": "1.0.0",  # the newest that containerd 1.7 understands
        "name": "multus-cni-network",
        "type": "multus",
        "binDir": str(bin_dir),
        "kubeconfig": str(kubeconfig),
        "namespaceIsolation": True,
        "delegates": [
            {
                "name": "primary",
                "type": "bridge",
                "bridge": "cni0",
                "isDefaultGateway": True,
                "ipam": {"type": "host-local", "subnet": POD_SUBNET},
            }
        ],
        **more,
    }
