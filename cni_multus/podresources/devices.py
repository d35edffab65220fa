"""The devices that one pod has, and which of its networks uses which: a ledger for the length of a request."""

from __future__ import annotations

from cni_multus.cni.errors import InvalidNetworkConfig, TryAgainLater

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.podresources.messages import Allotted

SOCKET = "/var/lib/kubelet/pod-resources/kubelet.sock"
CHECKPOINT = "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint"


class Devices:
    """Hands out each device once. The kubelet is asked when the first one is needed, and not again."""

    def __init__(self, namespace: str, pod: str, uid: str, socket: str = SOCKET, checkpoint: str = CHECKPOINT) -> None:
        self._namespace = namespace
        self._pod = pod
        self._uid = uid
        self._socket = socket
        self._checkpoint = checkpoint
        self._known: Allotted | None = None
        self._taken: dict[tuple[str, str], str] = {}
        """Who uses which, by resource and device ID."""
        self._claimed: dict[str, str] = {}
        """The same of those that were asked for by their ID, whatever resource they are of."""

    def take(self, resource: str, where: str) -> str:
        """The ID of the next device of a resource, for `where`; they are in lexical order, as Multus has them."""
        has = self._look(where)
        ids = sorted(has.get(resource, ()))
        if not ids:
            raise InvalidNetworkConfig(
                f"{where}: the pod {self._namespace}/{self._pod} has no device of the resource {resource!r}",
                f"a container of it has to request {resource} in resources.limits; {_overview(has)}",
            )
        for device in ids:
            if device not in self._claimed and (resource, device) not in self._taken:
                self._taken[resource, device] = where
                return device
        users = "; ".join(f"{device} by {self._user(resource, device)}" for device in ids[:8])
        raise InvalidNetworkConfig(
            f"{where}: the pod {self._namespace}/{self._pod} has {len(ids)} of the resource {resource!r}, and other "
            "networks of it use all of them",
            f"each network needs one of its own: a container has to request more in resources.limits (in use: {users})",
        )

    def require(self, resource: str, device: str, where: str) -> None:
        """Raise where the pod asks for a device of a resource which the kubelet did not give it: it is another's."""
        has = self._look(where)
        if device not in has.get(resource, ()):
            raise InvalidNetworkConfig(
                f"{where}: the device {device!r} is none of the resource {resource!r} that the kubelet gave the pod "
                f"{self._namespace}/{self._pod}",
                f"leave deviceID out, and it gets one of its own; {_overview(has)}",
            )

    def claim(self, device: str, where: str) -> None:
        """Note that `where` uses a device which it asked for by its ID; one of the kubelet's is used once."""
        taken = [user for (_, used), user in self._taken.items() if used == device]
        if taken or (device in self._claimed and self._is_known(device)):
            raise InvalidNetworkConfig(
                f"{where}: the device {device!r} is used by {taken[0] if taken else self._claimed[device]} already",
                "each device is for one network: name another one, or none",
            )
        self._claimed[device] = where

    def _user(self, resource: str, device: str) -> str:
        return self._claimed.get(device) or self._taken[resource, device]

    def _is_known(self, device: str) -> bool:
        """Whether the kubelet gave the pod this device; where there is no kubelet, nobody did."""
        return any(device in ids for ids in (self._ask() or {}).values())

    def _look(self, where: str) -> Allotted:
        known = self._ask()
        if known is None:
            unnamed = "" if self._uid else ", which cannot be used anyway, since CNI_ARGS has no K8S_POD_UID"
            raise TryAgainLater(
                f"{where}: nobody tells which devices the pod {self._namespace}/{self._pod} has: no kubelet listens at "
                f"{self._socket}, and there is no {self._checkpoint}{unnamed}",
                "the kubelet may be about to start, or its root directory is another one",
            )
        return known

    def _ask(self) -> Allotted | None:
        """What the pod has; None where neither the kubelet nor its file is there."""
        from cni_multus.podresources.checkpoint import read
        from cni_multus.podresources.kubelet import ask

        if self._known is None:
            self._known = ask(self._socket, self._namespace, self._pod)
        if self._known is None and self._uid:
            self._known = read(self._checkpoint, self._uid)
        return self._known


def _overview(has: Allotted) -> str:
    listed = ", ".join(f"{len(ids)} of {resource}" for resource, ids in sorted(has.items()) if ids)
    return f"it has {listed[:400]}" if listed else "the kubelet gave it no device at all"
