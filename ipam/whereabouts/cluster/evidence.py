"""Whether somebody still has an address, judged by what is known; it asks nobody, and touches nothing.

Only presence proves something. What a pod's network-status does not say, a pod that has not started, an entry that
nobody can explain: none of that frees an address. See `judge` for what does.
"""

from __future__ import annotations

from ipam.whereabouts.cluster.naming import is_podless, label_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from cni_multus.cni.addressing import Ip

KEEP = "keep"
FREE = "free"
UNSURE = "unsure"


class Hold:
    """What a record says of whose an address is; whatever it does not say is "".

    `id` is a container's, or the UID of a claim; `uid` the pod's, as a label's value has it, as is `node`.
    """

    __slots__ = ("claim", "id", "ifname", "node", "podref", "uid")

    def __init__(
        self, podref: str, ifname: str = "", id_: str = "", *, uid: str = "", node: str = "", claim: str = ""
    ) -> None:
        self.podref = podref
        self.ifname = ifname
        self.id = id_
        self.uid = uid
        self.node = node
        self.claim = claim


class Pod:
    """A pod that exists. `uids` are its own and, of a static pod, those that its kubelet calls it by."""

    __slots__ = ("addresses", "deleting", "ended", "running", "uids")

    def __init__(
        self,
        uids: Collection[str],
        *,
        ended: bool = False,
        deleting: bool = False,
        running: bool = False,
        addresses: dict[str, set[Ip]] | None = None,
    ) -> None:
        self.uids = frozenset(label_value(uid) for uid in uids)
        self.ended = ended
        self.deleting = deleting
        self.running = running
        self.addresses = addresses or {}
        """By interface, what its network-status says; looked at only where a pod has two addresses of one pool."""


class Node:
    """A node that exists; `lost` is when it was last ready, in seconds since 1970, 0 while it is."""

    __slots__ = ("lost", "out_of_service")

    def __init__(self, lost: float = 0.0, *, out_of_service: bool = False) -> None:
        self.lost = lost
        self.out_of_service = out_of_service
        """The operator says that it is off: nothing runs there."""


class World:
    """What exists, as far as it matters: pods and claims by `<namespace>/<name>`, nodes by their labels' values."""

    __slots__ = ("claims", "nodes", "now", "pods", "users")

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.pods: dict[str, Pod] = {}
        self.nodes: dict[str, Node] = {}
        self.claims: dict[str, str] = {}
        """The UID of each claim."""
        self.users: set[str] = set()
        """Claims that pods which have not ended name, whether they exist or not."""


class Verdict:
    """KEEP, FREE or UNSURE, and why, in a few words about the holder."""

    __slots__ = ("decision", "why")

    def __init__(self, decision: str, why: str) -> None:
        self.decision = decision
        self.why = why

    def __str__(self) -> str:
        return f"{self.decision}: {self.why}"


def judge(hold: Hold, world: World, lost_after: float = 0.0) -> Verdict:
    """Whether the holder may still have its address; `lost_after` as with `--lost-after`, 0 is never.

    FREE: its pod does not exist; another pod of that name does; its pod has ended; its claim does not exist, and no
    pod names it; and in each case, where the node is known, that node is ready (so that its kubelet has ended what
    does not exist), or does not exist, or is off. Its pod is being deleted on a node that was lost for long.
    """
    if verdict := _judge_claim(hold, world, lost_after):
        return verdict
    if is_podless(hold.podref):
        return Verdict(KEEP, "a container that is no pod's: its node gives the address back")
    namespace, slash, name = hold.podref.partition("/")
    if not (namespace and slash and name) or "/" in name:
        return Verdict(UNSURE, f"{hold.podref!r} names no pod")
    pod = world.pods.get(hold.podref)
    if pod is None:
        return _unless_node(hold, world, lost_after, "there is no such pod")
    if hold.uid and hold.uid not in pod.uids:
        return _unless_node(hold, world, lost_after, "another pod has that name by now")
    if pod.ended:
        return _unless_node(hold, world, lost_after, "the pod has ended")
    if pod.deleting and lost_after and _node_is_lost(hold, world, lost_after):
        return Verdict(FREE, f"the pod is being deleted, and node {hold.node} is lost")
    return Verdict(KEEP, "the pod exists")


def elsewhere(mine: Ip, same: Collection[Ip], ifname: str, pod: Pod) -> Verdict | None:
    """Of several addresses `same` of one pool for one interface: whether the pod shows that it has others instead.

    Its network-status must name one of the others on that interface, and `mine` on none.
    """
    if not pod.running or pod.deleting or any(mine in addresses for addresses in pod.addresses.values()):
        return None
    shown = [other for other in same if other != mine and other in pod.addresses.get(ifname, ())]
    return Verdict(FREE, f"the pod has {shown[0]} on {ifname} instead") if shown else None


def _judge_claim(hold: Hold, world: World, lost_after: float) -> Verdict | None:
    """What the claim tells; None where no claim has the address."""
    ref = hold.claim or hold.podref
    uid = world.claims.get(ref)
    if uid and uid == hold.id:
        return Verdict(KEEP, "the claim exists")
    if ref in world.users and (hold.claim or ref not in world.pods):
        return Verdict(KEEP, "a pod that exists names the claim")
    if not hold.claim:
        return None  # nobody says that it is a claim's, and what it is called like is judged as a pod
    return _unless_node(
        hold, world, lost_after, "another claim has that name by now" if uid else "there is no such claim"
    )


def _unless_node(hold: Hold, world: World, lost_after: float, why: str) -> Verdict:
    node = world.nodes.get(hold.node)
    if node is None or not node.lost or _node_is_lost(hold, world, lost_after):
        return Verdict(FREE, why)
    return Verdict(UNSURE, f"{why}, but node {hold.node} is not ready: its containers may run")


def _node_is_lost(hold: Hold, world: World, lost_after: float) -> bool:
    """Whether nothing runs on the node any more, as far as operators decided."""
    node = world.nodes.get(hold.node)
    if node is None or not node.lost:
        return False
    return node.out_of_service or 0 < lost_after <= world.now - node.lost
