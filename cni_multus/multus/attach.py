"""ADD: every planned network in order, independent programs side by side, all of them or none."""

from __future__ import annotations

import time
from _thread import allocate_lock, start_new_thread

from cni_multus import spent
from cni_multus.cni.errors import CniError, note_leftovers
from cni_multus.delegate import Program, find
from cni_multus.linux.netns import Namespace
from cni_multus.multus.detach import DEVICE_INFO, forget_device_info
from cni_multus.multus.plan import Planned
from cni_multus.multus.records import keep_what_is_left
from cni_multus.multus.settings import blame, pod_of
from cni_multus.multus.status import entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result
    from cni_multus.defaultroute import Moved
    from cni_multus.multus.log import Log
    from cni_multus.multus.settings import Settings
    from cni_multus.state.journal import Attachment, Journal, Record


def attach(
    request: Request,
    settings: Settings,
    planned: list[Planned],
    record: Record,
    journal: Journal,
    log: Log,
    publish: Callable[[Record], object] | None = None,
) -> list[Result]:
    """The results in the plan's order, the record completed; where anything fails all that was done is taken back.

    `publish` is called with the record when all is attached, and may fail, too. `record` keeps only what could not be
    taken back then.
    """
    work = [_Work(request, settings, one) for one in planned]
    with Namespace.open(request.netns) as container:
        finish = _Finish(container, planned, f"Multus: [{pod_of(request)}]")
        try:
            journal.await_sweep()
            finish.hand_over_devices()
            _run(work)
            results = [one.attached(request) for one in work]
            finish.move_default_route(results)
            finish.complete(record, results, look=publish is not None)
            if publish is not None:
                publish(record)
            journal.write(record)
        except BaseException as error:
            note_leftovers(error, [*finish.take_back(), *_take_back(work, record, journal, log)])
            raise
    for one in planned:
        log.verbose(f"attached {one.ifname} to network {one.name}")
    log.status([entry for attachment in record.attachments for entry in attachment.status])
    return results


class _Finish:
    """What concerns all networks of a sandbox, before the first is attached and after the last."""

    def __init__(self, container: Namespace, planned: list[Planned], who: str) -> None:
        self._who = who
        self._container = container
        self._planned = planned
        self._moved: Moved | None = None

    def hand_over_devices(self) -> None:
        """Let plugins and the pod find what a device's plugin says of it."""
        for one in self._planned:
            if one.resource and (path := one.capabilities.text(DEVICE_INFO)):
                from cni_multus.deviceinfo import hand_over

                hand_over(one.resource, one.capabilities.text("deviceID"), path)

    def move_default_route(self, results: list[Result]) -> None:
        """To the interfaces for which it was asked; the results say so then."""
        wanted = [(one.ifname, one.default_route) for one in self._planned if one.default_route]
        if not wanted:
            return
        from cni_multus.defaultroute import Wanted, move

        named = [(one.ifname, result) for one, result in zip(self._planned, results, strict=True)]
        try:
            self._moved = move(self._container, [Wanted(ifname, gateways) for ifname, gateways in wanted], named)
        except CniError as error:
            raise blame(error, self._who) from None

    def complete(self, record: Record, results: list[Result], *, look: bool) -> None:
        """Put on record what there is now, by a `look` at the kernel or by what the plugins say."""
        seen = None
        if look:
            from cni_multus.multus.seen import Seen

            seen = Seen.look(self._container)
        for at, (attachment, one, result) in enumerate(zip(record.attachments, self._planned, results, strict=True)):
            attachment.result = result
            attachment.status = entries(
                one.label, result, one.ifname, primary=at == 0, seen=seen, device_info=_device_info(one)
            )
        record.complete = True

    def take_back(self) -> list[str]:
        """The reverse of all that; what failed."""
        failures = self._moved.take_back() if self._moved else []
        for one in self._planned:
            try:
                forget_device_info(one)
            except CniError as error:
                failures.append(error.message)
        return failures


def _device_info(planned: Planned) -> dict[str, object] | None:
    path = planned.capabilities.text(DEVICE_INFO)
    if not path:
        return None
    from cni_multus.deviceinfo import read

    return read(path)


class _Work:
    """One network being attached: afterwards it has a result or an error."""

    def __init__(self, request: Request, settings: Settings, planned: Planned) -> None:
        self.planned = planned
        self.request = planned.request(request, settings, request.netns)
        self.begun = False
        self.result: Result | None = None
        self.error: CniError | None = None
        self.seconds = 0.0
        self._done = allocate_lock()
        self._spent: dict[str, float] = {}

    def run(self) -> None:
        self.begun = True
        begun = time.monotonic()
        try:
            self.result = self.planned.network.add(self.request, self.planned.capabilities)
        except CniError as error:
            self.error = error
        self.seconds = time.monotonic() - begun

    def run_aside(self) -> None:
        self._done.acquire()
        try:
            start_new_thread(self._run_and_tell, ())
        except RuntimeError:  # no more threads: one after another then
            try:
                self.run()
            finally:
                self._done.release()

    def wait(self) -> None:
        """Until `run_aside` has ended, if it was called at all."""
        self._done.acquire()
        spent.add(self._spent)

    def attached(self, request: Request) -> Result:
        """The result; raises what happened instead."""
        if self.result is not None:
            return self.result
        name = self.planned.name
        unforeseen = CniError("it ended without a result", "the traceback is on standard error")
        where = f'[{pod_of(request)}:{name}]: error adding container to network "{name}"'
        raise blame(self.error or unforeseen, where)

    def detach(self) -> list[CniError]:
        """What failed; a network that did not come to be attached has taken itself back, as far as it could."""
        if self.result is not None:
            return self.planned.network.delete(self.request, self.result, self.planned.capabilities)
        if not self.begun or (self.error is not None and not self.error.leftovers):
            return []
        return [self.error or CniError(f"attaching {self.planned.ifname} ended without a result")]

    def is_foreign(self) -> bool:
        """Whether every plugin is a program: the time it takes is another process's."""
        return all(
            isinstance(find(plugin.text("type"), self.request.path), Program) for plugin in self.planned.network.plugins
        )

    def _run_and_tell(self) -> None:
        try:
            self.run()
        finally:
            self._spent = spent.so_far()
            self._done.release()


def _run(work: list[_Work]) -> None:
    """The primary, then the others, until one of them fails."""
    aside = [one for one in work[1:] if one.is_foreign()] if len(work) > 2 else []
    running: list[_Work] = []
    try:
        work[0].run()
        if work[0].error is not None:
            return
        for one in aside:
            running.append(one)
            one.run_aside()
        for one in work[1:]:
            if one not in aside:
                one.run()
                if one.error is not None:
                    return
    finally:
        for one in running:
            one.wait()
        for one in work:
            if one.begun:
                spent.note_interface(one.planned.ifname, one.seconds)


def _take_back(work: list[_Work], record: Record, journal: Journal, log: Log) -> list[str]:
    """Detach what was attached, the last first, and leave on record what cannot be; the failures."""
    failures: list[str] = []
    left: list[Attachment] = []
    for one, attachment in zip(reversed(work), reversed(record.attachments), strict=True):
        if failed := one.detach():
            left.insert(0, attachment)
            failures += [f"{one.planned.ifname} of network {one.planned.name}: {error.message}" for error in failed]
    record.attachments, record.complete = left, False
    try:
        keep_what_is_left(journal, record)
    except CniError as error:
        failures.append(error.message)
    for failure in failures:
        log.error(f"cannot take back {failure}")
    return failures
