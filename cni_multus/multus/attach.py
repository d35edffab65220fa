"""ADD: every planned network in order, independent programs side by side, all of them or none."""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread

from cni_multus.cni.errors import CniError
from cni_multus.delegate import Program, find
from cni_multus.multus.plan import Planned
from cni_multus.multus.settings import blame, pod_of
from cni_multus.multus.status import entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result
    from cni_multus.multus.log import Log
    from cni_multus.multus.settings import Settings
    from cni_multus.state.journal import Record


def attach(request: Request, settings: Settings, planned: list[Planned], record: Record, log: Log) -> list[Result]:
    """The results in the plan's order; where one fails the others are detached again, the last first.

    `record` keeps only what could not be taken back then.
    """
    work = [_Work(request, settings, one) for one in planned]
    work[0].run()
    if work[0].error is None:
        _run_together(work[1:])
    failed = [one for one in work if one.error is not None]
    if not failed:
        for one in work:
            log.verbose(f"attached {one.planned.ifname} to network {one.planned.name}")
        return [one.result for one in work if one.result is not None]
    error = failed[0].error
    left = []
    for one, attachment in zip(reversed(work), reversed(record.attachments), strict=True):
        failures = one.detach() if one.result is not None else []
        for failure in failures:
            log.error(f"cannot take {one.planned.ifname} of network {one.planned.name} back: {failure.message}")
        if failures or (one.error is not None and one.error.leftovers):
            left.insert(0, attachment)
    record.attachments = left
    assert error is not None
    name = failed[0].planned.name
    raise blame(error, f'[{pod_of(request)}:{name}]: error adding container to network "{name}"')


def statuses(planned: list[Planned], results: list[Result]) -> list[list[dict[str, object]]]:
    """What network-status says of each attachment."""
    return [
        entries(one.name, result, one.ifname, primary=at == 0)
        for at, (one, result) in enumerate(zip(planned, results, strict=True))
    ]


class _Work:
    """One network being attached: afterwards it has a result or an error."""

    def __init__(self, request: Request, settings: Settings, planned: Planned) -> None:
        self.planned = planned
        self.request = planned.request(request, settings, request.netns)
        self.result: Result | None = None
        self.error: CniError | None = None
        self.done = allocate_lock()

    def run(self) -> None:
        try:
            self.result = self.planned.network.add(self.request, self.planned.capabilities)
        except CniError as error:
            self.error = error

    def run_aside(self) -> None:
        self.done.acquire()
        start_new_thread(self._run_and_tell, ())

    def detach(self) -> list[CniError]:
        return self.planned.network.delete(self.request, self.result, self.planned.capabilities)

    def is_foreign(self) -> bool:
        """Whether every plugin is a program: the time it takes is another process's."""
        return all(
            isinstance(find(plugin.text("type"), self.request.path), Program) for plugin in self.planned.network.plugins
        )

    def _run_and_tell(self) -> None:
        try:
            self.run()
        finally:
            if self.result is None and self.error is None:
                self.error = CniError(f"internal error while attaching {self.planned.ifname}")
            self.done.release()


def _run_together(work: list[_Work]) -> None:
    foreign = [one for one in work if one.is_foreign()] if len(work) > 1 else []
    for one in foreign:
        one.run_aside()
    stopped = False
    for one in work:
        if one not in foreign and not stopped:
            one.run()
            stopped = one.error is not None
    for one in foreign:
        one.done.acquire()
