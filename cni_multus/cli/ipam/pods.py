"""Whether the API server has a pod: one answer per pod, or all of them listed once where there are many to ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.ipam.evidence import GONE, LIKELY_GONE, LIVES, UNKNOWN, Verdict
from cni_multus.cni.errors import CniError
from cni_multus.kube.errors import NotFound, NotServed
from cni_multus.kube.objects import IPAM_CLAIMS, PODS, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cni_multus.cli.ipam.held import Held
    from cni_multus.kube.client import Client

ENDED = ("Succeeded", "Failed")


class Pods:
    """What `client` tells of pods and claims; each is asked for once."""

    def __init__(self, client: Client, complain: Callable[[CniError], None]) -> None:
        self._client = client
        self._complain = complain
        self._away = False
        self._all: dict[str, Mapping[str, object]] | None = None
        self._seen: dict[tuple[Resource, str], Mapping[str, object] | None] = {}

    def list_all(self) -> None:
        """Ask for all pods now, instead of for each when it is judged: what is judged must have been read before."""
        found: dict[str, Mapping[str, object]] = {}
        try:
            for pod in self._client.list(PODS.path()):
                metadata = _part(pod, "metadata")
                found[f"{metadata.get('namespace')}/{metadata.get('name')}"] = pod
        except CniError as error:
            self._give_up(error)
        self._all = found

    def judge(self, held: Held) -> Verdict | None:
        """What the API server says of an owner, None where it says nothing of it."""
        if self._away:
            return None
        try:
            return self._judge(held)
        except CniError as error:
            self._give_up(error)
            return None

    def _give_up(self, error: CniError) -> None:
        self._away = True
        self._complain(error)

    def _judge(self, held: Held) -> Verdict | None:
        if held.claim:
            if self._find(IPAM_CLAIMS, held.claim) is None:
                return Verdict(GONE, f"the claim {held.claim} is not there any more")
            return Verdict(LIVES, f"the claim {held.claim} keeps it")
        if held.pod.count("/") != 1:
            return None
        pod = self._find(PODS, held.pod)
        if pod is not None:
            return _judge(held, pod)
        claim = self._find(IPAM_CLAIMS, held.pod) if held.engine == "kubernetes" else None
        if claim is not None and _part(claim, "metadata").get("uid") == held.container_id:
            return Verdict(LIVES, f"the claim {held.pod} keeps it")
        return Verdict(GONE, f"the API server has no pod {held.pod}")

    def _find(self, resource: Resource, name: str) -> Mapping[str, object] | None:
        if resource is PODS and self._all is not None:
            return self._all.get(name)
        if (resource, name) not in self._seen:
            namespace, _, own = name.partition("/")
            try:
                found: Mapping[str, object] | None = self._client.get(resource.path(namespace, own))
            except (NotFound, NotServed):
                found = None
            self._seen[resource, name] = found
        return self._seen[resource, name]


def _judge(held: Held, pod: Mapping[str, object]) -> Verdict:
    uid = _part(pod, "metadata").get("uid")
    phase = _part(pod, "status").get("phase")
    if held.uid and held.uid != uid:
        return Verdict(GONE, f"pod {held.pod} is another one by now: its UID is {uid}, not {held.uid}")
    if phase in ENDED:
        return Verdict(LIKELY_GONE, f"pod {held.pod} has ended ({phase})")
    if "deletionTimestamp" in _part(pod, "metadata"):
        return Verdict(LIVES, f"pod {held.pod} is being deleted, and still there")
    return Verdict(LIVES if phase else UNKNOWN, f"the API server has pod {held.pod} ({phase or 'without a phase'})")


def _part(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    part = document.get(key)
    return part if isinstance(part, dict) else {}
