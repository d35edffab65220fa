"""Whether the API server has a pod or a claim: one answer each, or all of them listed once where many are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.ipam.evidence import GONE, LIKELY_GONE, LIVES, UNKNOWN, Verdict
from cni_multus.cni.errors import CniError
from cni_multus.kube.errors import Forbidden, NotFound, NotServed
from cni_multus.kube.objects import IPAM_CLAIMS, PODS, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cni_multus.cli.ipam.held import Held
    from cni_multus.kube.client import Client

ENDED = ("Succeeded", "Failed")
_UID_LENGTH = 36


@dataclass(frozen=True)
class Known:
    """What matters of an object; `phase` only of a pod that was asked for alone, or has ended."""

    uid: str
    phase: str = ""
    deleted: bool = False


class Pods:
    """What `client` tells of pods and claims; `complain` is told when it does not, and then nothing more is asked."""

    def __init__(self, client: Client, complain: Callable[[CniError], None], *, many: bool = False) -> None:
        self._client = client
        self._many = many
        """List all when the first is judged, which must have been read by then, instead of asking for each."""
        self._complain = complain
        self._away = False
        self._listed = False
        self._claims_hidden = False
        self._known: dict[tuple[Resource, str], Known | None] = {}

    def forget(self, *, many: bool) -> None:
        """Ask anew from now on: for all of them, or for each."""
        self._many, self._listed = many, False
        self._known.clear()

    def judge(self, held: Held) -> Verdict | None:
        """What the API server says of an owner, None where it says nothing of it."""
        if self._away:
            return None
        try:
            if self._many and not self._listed:
                self._list_all()
            return self._judge(held)
        except CniError as error:
            self._away = True
            self._complain(error)
            return None

    def _list_all(self) -> None:
        self._list(PODS)
        for phase in ENDED:
            self._list(PODS, phase)
        try:
            self._list(IPAM_CLAIMS)
        except NotServed:
            pass  # then there are none
        except Forbidden:
            self._claims_hidden = True
        self._listed = True

    def _judge(self, held: Held) -> Verdict | None:
        if held.claim:
            if self._find(IPAM_CLAIMS, held.claim) is None:
                return None if self._claims_hidden else Verdict(GONE, f"the claim {held.claim} is not there any more")
            return Verdict(LIVES, f"the claim {held.claim} keeps it")
        if held.pod.count("/") != 1:
            return None
        pod = self._find(PODS, held.pod)
        if pod is not None:
            return _judge(held, pod)
        if held.engine == "kubernetes" and len(held.container_id) == _UID_LENGTH:
            claim = self._find(IPAM_CLAIMS, held.pod)
            if claim is not None and claim.uid == held.container_id:
                return Verdict(LIVES, f"the claim {held.pod} keeps it")
            if self._claims_hidden:
                return Verdict(UNKNOWN, "it looks like a claim's, and claims may not be listed")
        return Verdict(GONE, f"the API server has no pod {held.pod}")

    def _find(self, resource: Resource, name: str) -> Known | None:
        if not self._listed and (resource, name) not in self._known:
            namespace, _, own = name.partition("/")
            try:
                found: Known | None = _known(self._client.get(resource.path(namespace, own)))
            except (NotFound, NotServed):
                found = None
            self._known[resource, name] = found
        return self._known.get((resource, name))

    def _list(self, resource: Resource, phase: str = "") -> None:
        selected = f"status.phase={phase}" if phase else ""
        for document in self._client.list(resource.path(), fields=selected, metadata_only=True):
            metadata = _part(document, "metadata")
            name = f"{metadata.get('namespace')}/{metadata.get('name')}"
            self._known[resource, name] = _known(document, phase)


def _judge(held: Held, pod: Known) -> Verdict:
    if held.uid and held.uid != pod.uid:
        return Verdict(GONE, f"pod {held.pod} is another one by now: its UID is {pod.uid}, not {held.uid}")
    if pod.phase in ENDED:
        return Verdict(LIKELY_GONE, f"pod {held.pod} has ended ({pod.phase})")
    if pod.deleted:
        return Verdict(LIVES, f"pod {held.pod} is being deleted, and still there")
    return Verdict(LIVES, f"the API server has pod {held.pod}" + (f" ({pod.phase})" if pod.phase else ""))


def _known(document: Mapping[str, object], phase: str = "") -> Known:
    metadata = _part(document, "metadata")
    told = phase or str(_part(document, "status").get("phase") or "")
    return Known(str(metadata.get("uid")), told, "deletionTimestamp" in metadata)


def _part(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    part = document.get(key)
    return part if isinstance(part, dict) else {}
