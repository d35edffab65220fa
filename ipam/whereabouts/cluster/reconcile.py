"""Free what surely nobody has any more, over a whole cluster: once, or as its periodic job.

Everything is looked at twice, `grace` apart, and only what both looks say of the same record of the same holder is
done, guarded by that. So no clock is compared with another one, an ADD or a DEL in between is not in the way, and any
number of these may run at once.
"""

from __future__ import annotations

import time

from ipam.whereabouts.cluster.ledger import read_ledger
from ipam.whereabouts.cluster.mending import Mending
from ipam.whereabouts.cluster.observing import observe
from ipam.whereabouts.cluster.planning import CONTRADICTS, WAITS, Step, doubled, plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.kube.client import Client

GRACE = 120.0
"""Seconds between the looks: an ADD has 60, a kubelet ends the containers of a deleted pod in 30."""


class Outcome:
    """What came of it: steps that were done (or would be), those that are for later or for people, and failures."""

    __slots__ = ("allocations", "done", "failed", "left", "pods", "pools", "reservations")

    def __init__(self) -> None:
        self.pools = 0
        self.allocations = 0
        self.reservations = 0
        self.pods = 0
        self.done: list[Step] = []
        self.left: list[Step] = []
        self.failed: list[tuple[Step, str]] = []

    def contradictions(self) -> list[Step]:
        """Those that wait for people."""
        return [step for step in self.left if step.does == CONTRADICTS]


def reconcile(
    client: Client,
    namespace: str,
    *,
    grace: float = GRACE,
    lost_after: float = 0.0,
    dry_run: bool = False,
    wait: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Look twice, and do what both looks say; `lost_after`: see `evidence.judge`. Raises CniError if it cannot look."""
    outcome = Outcome()
    steps = _look(client, namespace, lost_after, outcome)
    if steps:
        client.close()  # nobody keeps a connection open for so long
        wait(grace)
        before = {step.identity for step in steps}
        steps = [step for step in _look(client, namespace, lost_after, outcome) if step.identity in before]
    outcome.left = [step for step in steps if step.does in (CONTRADICTS, WAITS)]
    doing = [step for step in steps if step.does not in (CONTRADICTS, WAITS)]
    if dry_run:
        outcome.done = doing
        return outcome
    mending = Mending(client, namespace)
    mending.carry_out(doing)
    outcome.done, outcome.failed = mending.done, mending.failed
    return outcome


def _look(client: Client, namespace: str, lost_after: float, outcome: Outcome) -> list[Step]:
    ledger = read_ledger(client, namespace)
    world = observe(client, ledger.podrefs(), doubled(ledger))
    outcome.pools = len(ledger.pools)
    outcome.allocations = sum(len(pool.allocations) for pool in ledger.pools)
    outcome.reservations = len(ledger.reservations)
    outcome.pods = len(world.pods)
    return plan(ledger, world, lost_after)
