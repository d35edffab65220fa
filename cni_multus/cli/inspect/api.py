"""What the API server says of pods that were asked for, where it answers: are they there, and at which address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.described import described_address
from cni_multus.cli.inspect.notes import note
from cni_multus.cli.inspect.sandbox import LIVE
from cni_multus.cni.document import parse
from cni_multus.cni.errors import CniError
from cni_multus.kube.errors import NotFound
from cni_multus.kube.objects import PODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cli.inspect.attachment import Observed
    from cni_multus.cli.inspect.notes import Note
    from cni_multus.cli.inspect.sandbox import Sandbox
    from cni_multus.cli.site import Site
    from cni_multus.kube.client import Client

NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"
MIRROR = "kubernetes.io/config.mirror"
"""Of the API's copy of a static pod, which has another UID than the kubelet's own."""

PATIENCE = 3.0
"""Seconds for all that is asked."""


@dataclass(frozen=True, slots=True)
class Pod:
    """What matters of a pod; `status` is its network-status, None where it has none, or one that cannot be read."""

    uid: str
    phase: str
    node: str
    leaving: bool
    static: bool
    status: list[dict[str, object]] | None

    @property
    def told(self) -> str:
        """In a few words."""
        words = [self.phase or "in no phase", *(["being deleted"] if self.leaving else [])]
        return ", ".join([*words, f"on node {self.node}" if self.node else "on no node yet"])

    def to_json(self) -> dict[str, object]:
        """All of it."""
        shown = {"uid": self.uid, "phase": self.phase, "node": self.node, "deleting": self.leaving}
        return {**shown, "networkStatus": self.status}


def ask(site: Site, pods: Sequence[str], notes: list[Note]) -> dict[str, Pod | None]:
    """Each pod NAMESPACE/NAME, None where there is none; empty where no server is named, or none answers (a note)."""
    found: dict[str, Pod | None] = {}
    client = None
    try:
        client = site.client(PATIENCE) if pods else None
        if client is not None:
            for name in dict.fromkeys(pods):
                found[name] = _find(client, name)
    except CniError as error:
        notes.append(note("the API server", error))
    finally:
        if client is not None:
            client.close()
    return found


def tell(sandbox: Sandbox, pod: Pod | None) -> None:
    """Add what the server says otherwise than the node."""
    known = sandbox.known
    if known is None:
        return
    if pod is None:
        sandbox.wrong.append(f"the API server has no pod {known.pod} any more")
        return
    sandbox.api = pod
    if known.uid and pod.uid != known.uid and not pod.static:
        sandbox.wrong.append(f"the API server has another pod {known.pod} by now: its UID is {pod.uid}")
    elif sandbox.state == LIVE and known.record is not None and known.record.complete:
        _tell_status(sandbox.observed, pod)


def _tell_status(observed: list[Observed], pod: Pod) -> None:
    """Where network-status, by which others find the pod, is not what the kernel shows."""
    entries = {entry.get("interface"): entry for entry in pod.status or []}
    for one in observed:
        if one.link is None or pod.status is None:
            continue
        entry = entries.get(one.ifname)
        if entry is None:
            one.wrong.append(f"network-status of the pod does not tell of {one.ifname}")
            continue
        shown = sorted(described_address(each).partition("/")[0] for each in one.addresses if each.scope == 0)
        listed = entry.get("ips")
        told = sorted(str(each) for each in listed) if isinstance(listed, list) else []
        if not set(told) <= set(shown):
            one.wrong.append(
                f"network-status of the pod says {', '.join(told)}, and not {', '.join(shown) or 'nothing'}"
            )


def _find(client: Client, name: str) -> Pod | None:
    namespace, _, own = name.partition("/")
    try:
        return _pod(client.get(PODS.path(namespace, own)))
    except NotFound:
        return None


def _pod(document: dict[str, object]) -> Pod:
    metadata, spec, status = (_part(document, key) for key in ("metadata", "spec", "status"))
    annotations = _part(metadata, "annotations")
    return Pod(
        uid=str(metadata.get("uid") or ""),
        phase=str(status.get("phase") or ""),
        node=str(spec.get("nodeName") or ""),
        leaving="deletionTimestamp" in metadata,
        static=MIRROR in annotations,
        status=_status(annotations.get(NETWORK_STATUS)),
    )


def _status(text: object) -> list[dict[str, object]] | None:
    if not isinstance(text, str):
        return None
    try:
        found = parse(text.encode("utf-8", "surrogatepass"), NETWORK_STATUS)
    except CniError:
        return None
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else None


def _part(document: dict[str, object], key: str) -> dict[str, object]:
    part = document.get(key)
    return part if isinstance(part, dict) else {}
