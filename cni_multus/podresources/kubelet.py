"""Asking the kubelet on its PodResources socket what it gave a pod, and what it means where it does not tell.

Get answers for one pod; kubelets before 1.27 do not have it, and those before 1.34 have it switched off. List answers
for the whole node.
"""

from __future__ import annotations

import time

from cni_multus.cni.errors import ApiFailure, InvalidEnvironment, TryAgainLater
from cni_multus.kube.deadline import Deadline, backoff
from cni_multus.podresources.faults import Malformed, Refused
from cni_multus.podresources.grpc import Channel
from cni_multus.podresources.messages import devices_of, pod_request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.podresources.messages import Allotted

PATIENCE = 10.0
"""Seconds for everything that is asked: the kubelet answers in a hundredth of one."""

LONGEST = 253
"""Characters of a name in Kubernetes."""

_SERVICE = "/v1.PodResourcesLister/"
_DEADLINE_EXCEEDED, _RESOURCE_EXHAUSTED, _UNIMPLEMENTED, _UNAVAILABLE = 4, 8, 12, 14
_BUSY = frozenset({_RESOURCE_EXHAUSTED, _UNAVAILABLE})
"""What is otherwise a moment later: the kubelet takes 100 calls a second from all its clients (1.27 and later)."""


def ask(path: str, namespace: str, pod: str, patience: float = PATIENCE) -> Allotted | None:
    """What the pod has, nothing where the kubelet does not know it; None where no kubelet listens at `path`."""
    if max(len(namespace), len(pod)) > LONGEST:
        raise InvalidEnvironment(f"CNI_ARGS: K8S_POD_NAMESPACE or K8S_POD_NAME is longer than {LONGEST} characters")
    attempt = f"cannot ask the kubelet at {path} for the devices of the pod {namespace}/{pod}"
    deadline = Deadline(patience)
    try:
        channel = Channel(path, deadline)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return None
    except OSError as error:
        raise _away(error, attempt, deadline) from error
    try:
        return _converse(channel, namespace, pod, deadline)
    except Refused as refusal:
        if refusal.status in _BUSY or refusal.status == _DEADLINE_EXCEEDED:
            raise TryAgainLater(f"{attempt}: it is busy: {refusal}") from refusal
        hint = "a kubelet before 1.20 does not have the v1 API" if refusal.status == _UNIMPLEMENTED else ""
        raise ApiFailure(f"{attempt}: it refuses: {refusal}", hint) from refusal
    except Malformed as fault:
        raise ApiFailure(f"{attempt}: that is no kubelet, or one that is broken: {fault}") from fault
    except OSError as error:
        raise _away(error, attempt, deadline) from error
    finally:
        channel.close()


def _converse(channel: Channel, namespace: str, pod: str, deadline: Deadline) -> Allotted:
    try:
        answer = _call(channel, "Get", pod_request(namespace, pod), deadline)
    except Refused as refusal:
        if refusal.status in _BUSY:
            raise
        answer = _call(channel, "List", b"", deadline)
    found = devices_of(answer, namespace, pod)
    return {} if found is None else found


def _call(channel: Channel, method: str, message: bytes, deadline: Deadline) -> memoryview:
    repeats = 0
    while True:
        try:
            return channel.call(_SERVICE + method, message)
        except Refused as refusal:
            wait = backoff(repeats)
            if refusal.status not in _BUSY or wait >= deadline.left():
                raise
        time.sleep(wait)
        repeats += 1


def _away(error: OSError, attempt: str, deadline: Deadline) -> TryAgainLater:
    if isinstance(error, TimeoutError):
        return TryAgainLater(f"{attempt}: no answer within {deadline.seconds:.0f} s", "it hangs, or has too much to do")
    why = error.strerror.lower() if error.strerror else str(error)
    return TryAgainLater(f"{attempt}: {why}", "it may be about to start or to end")
