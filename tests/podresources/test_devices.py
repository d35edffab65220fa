"""The ledger: each device once, in order, and what is said where there is none."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import DecodingFailure, InvalidNetworkConfig, TryAgainLater
from cni_multus.podresources.devices import CHECKPOINT, SOCKET, Devices
from tests.podresources.api import pod
from tests.podresources.kubelet import Kubelet

if TYPE_CHECKING:
    from pathlib import Path

VF = "intel.com/vf"
IDS = ["0000:01:00.3", "0000:01:00.1", "0000:01:00.2"]
UID = "0b5f7a8e-7b0f-4d4e-8e3e-1f0f6f0c9d11"
NUMA = {"0": ["0000:01:00.3"], "-1": None, "1": ["0000:01:00.1", "0000:01:00.2"]}


def devices(place: Path, uid: str = UID) -> Devices:
    return Devices("blue", "web", uid, str(place), str(place.parent / "checkpoint"))


def write(place: Path, *entries: object, uid: str = UID) -> None:
    """The kubelet's checkpoint, with entries for this pod and for another one."""
    others = [
        {"PodUID": "other", "ContainerName": "c", "ResourceName": VF, "DeviceIDs": ["wrong"], "AllocResp": "AA=="}
    ]
    mine = [{"PodUID": uid, "ContainerName": "c", **entry} for entry in entries if isinstance(entry, dict)]
    data = {"PodDeviceEntries": [*others, *mine], "RegisteredDevices": {VF: IDS}}
    (place.parent / "checkpoint").write_text(json.dumps({"Data": data, "Checksum": 1}))


def test_where_the_kubelet_is() -> None:
    assert SOCKET == "/var/lib/kubelet/pod-resources/kubelet.sock"
    assert CHECKPOINT == "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint"


def test_devices_are_handed_out_once_in_lexical_order(place: Path) -> None:
    with Kubelet(place, pod("web", {VF: IDS, "x/y": ["0000:01:00.3"]})) as kubelet:
        ledger = devices(place)
        assert kubelet.calls == []
        assert [ledger.take(VF, f"n{at}") for at in range(3)] == sorted(IDS)
        assert ledger.take("x/y", "n4") == "0000:01:00.3"
        with pytest.raises(
            InvalidNetworkConfig, match=r"n5: the pod blue/web has 3 of the resource 'intel\.com/vf'"
        ) as no:
            ledger.take(VF, "n5")
    assert "0000:01:00.2 by n1" in no.value.details
    assert kubelet.calls == ["Get"]


def test_a_device_that_containers_share_is_one(place: Path) -> None:
    with Kubelet(place, pod("web", {VF: IDS[:1]}, {VF: IDS[:1]})):
        ledger = devices(place)
        assert ledger.take(VF, "n0") == IDS[0]
        with pytest.raises(InvalidNetworkConfig):
            ledger.take(VF, "n1")


def test_a_claimed_device_is_not_handed_out(place: Path) -> None:
    with Kubelet(place, pod("web", {VF: IDS})):
        ledger = devices(place)
        ledger.claim("0000:01:00.1", "first")
        ledger.claim("0000:02:00.1", "not the kubelet's")
        assert [ledger.take(VF, "n"), ledger.take(VF, "n")] == ["0000:01:00.2", "0000:01:00.3"]
        with pytest.raises(InvalidNetworkConfig) as no:
            ledger.take(VF, "n")
    assert "0000:01:00.1 by first" in no.value.details


def test_a_device_of_the_kubelet_s_is_claimed_once(place: Path) -> None:
    with Kubelet(place, pod("web", {VF: IDS})):
        ledger = devices(place)
        ledger.claim("0000:02:00.1", "a")
        ledger.claim("0000:02:00.1", "b")
        ledger.claim("0000:01:00.1", "a")
        with pytest.raises(InvalidNetworkConfig, match=r"^b: the device '0000:01:00\.1' is used by a already"):
            ledger.claim("0000:01:00.1", "b")


def test_a_device_that_was_handed_out_cannot_be_claimed(place: Path) -> None:
    with Kubelet(place, pod("web", {VF: IDS})):
        ledger = devices(place)
        ledger.take(VF, "a")
        with pytest.raises(InvalidNetworkConfig, match="used by a already"):
            ledger.claim("0000:01:00.1", "b")


def test_claims_need_no_kubelet(place: Path) -> None:
    ledger = devices(place)
    ledger.claim("0000:01:00.1", "a")
    ledger.claim("0000:01:00.1", "b")


@pytest.mark.parametrize(
    ("has", "said"),
    [({}, "gave it no device at all"), ({"x/y": ["1", "2"], "a/b": ["3"]}, "it has 1 of a/b, 2 of x/y")],
)
def test_a_missing_resource_is_an_error(place: Path, has: dict[str, list[str]], said: str) -> None:
    with Kubelet(place, pod("web", has)), pytest.raises(InvalidNetworkConfig) as raised:
        devices(place).take(VF, "the network blue/sriov")
    assert (
        raised.value.message == "the network blue/sriov: the pod blue/web has no device of the resource 'intel.com/vf'"
    )
    assert raised.value.details == f"a container of it has to request {VF} in resources.limits; " + (
        said if said.startswith("it") else f"the kubelet {said}"
    )


@pytest.mark.parametrize("ids", [IDS, NUMA], ids=["older", "newer"])
def test_the_checkpoint_serves_where_no_kubelet_listens(place: Path, ids: object) -> None:
    write(place, {"ResourceName": VF, "DeviceIDs": ids}, {"ResourceName": "x/y", "DeviceIDs": None})
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(place))
    ledger = devices(place)
    assert [ledger.take(VF, "n") for _ in IDS] == sorted(IDS)


def test_the_kubelet_is_believed_before_its_checkpoint(place: Path) -> None:
    write(place, {"ResourceName": VF, "DeviceIDs": IDS})
    with Kubelet(place, pod("web", {VF: ["9"]})):
        assert devices(place).take(VF, "n") == "9"


def test_a_pod_that_is_not_in_the_checkpoint_has_no_devices(place: Path) -> None:
    write(place)
    with pytest.raises(InvalidNetworkConfig, match="has no device"):
        devices(place).take(VF, "n")


@pytest.mark.parametrize("uid", [UID, ""])
def test_without_kubelet_and_checkpoint_it_is_tried_again_later(place: Path, uid: str) -> None:
    if not uid:
        write(place, {"ResourceName": VF, "DeviceIDs": IDS}, uid="")
    with pytest.raises(TryAgainLater, match=r"^n: nobody tells .* blue/web .*checkpoint") as raised:
        devices(place, uid).take(VF, "n")
    assert ("K8S_POD_UID" in raised.value.message) == (not uid)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "{}",
        '{"Data": null}',
        '{"Data": {"PodDeviceEntries": {}}}',
        f'{{"Data": {{"PodDeviceEntries": [{{"PodUID": "{UID}"}}]}}}}',
        f'{{"Data": {{"PodDeviceEntries": [{{"PodUID": "{UID}", "ResourceName": "a", "DeviceIDs": [1]}}]}}}}',
        f'{{"Data": {{"PodDeviceEntries": [{{"PodUID": "{UID}", "ResourceName": "a", "DeviceIDs": {{"0": 1}}}}]}}}}',
        f'{{"Data": {{"PodDeviceEntries": [{{"PodUID": "{UID}", "ResourceName": "a", "DeviceIDs": "abc"}}]}}}}',
    ],
)
def test_a_checkpoint_that_is_none_is_told(place: Path, text: str) -> None:
    (place.parent / "checkpoint").write_text(text)
    with pytest.raises(DecodingFailure, match="checkpoint"):
        devices(place).take(VF, "n")


@pytest.mark.parametrize("entries", ["null", "[]", f'[null, 3, "x", {{"PodUID": 7}}, {{"PodUID": "{UID}x"}}]'])
def test_what_is_not_about_the_pod_is_not_looked_at(place: Path, entries: str) -> None:
    (place.parent / "checkpoint").write_text(f'{{"Data": {{"PodDeviceEntries": {entries}}}}}')
    with pytest.raises(InvalidNetworkConfig, match="has no device"):
        devices(place).take(VF, "n")
