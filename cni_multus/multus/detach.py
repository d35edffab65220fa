"""DEL: everything that a record lists, the last attachment first, whatever fails on the way."""

from __future__ import annotations

import time

from cni_multus import spent
from cni_multus.cni.errors import CniError
from cni_multus.delegate import Program, find
from cni_multus.linux.links import remove_group
from cni_multus.linux.netns import Namespace
from cni_multus.marks import group_of
from cni_multus.multus.plan import Planned, recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.multus.log import Log
    from cni_multus.multus.settings import Settings
    from cni_multus.state.journal import Attachment, Record


DEVICE_INFO = "CNIDeviceInfoFile"
"""The capability that says where the description of a network's device is (NPWG Device Information, 1.1)."""


def detach(request: Request, settings: Settings, record: Record, log: Log) -> list[CniError]:
    """Detach what `record` lists; it keeps the attachments that failed, and the errors are returned."""
    pairs, errors = recorded(record)
    unreadable = [one for one in record.attachments if all(one is not attachment for _, attachment in pairs)]
    base = _as_added(request, record)
    netns = record.sandbox(request.netns)
    if netns and all(_is_ours(planned, base, settings) for planned, _ in pairs):
        _remove_links(record, netns)
    left: list[Attachment] = []
    for planned, attachment in reversed(pairs):
        begun = time.monotonic()
        failures = planned.network.delete(
            planned.request(base, settings, netns), attachment.result, planned.capabilities
        )
        spent.note_interface(planned.ifname, time.monotonic() - begun)
        try:
            forget_device_info(planned)
        except CniError as error:
            failures.append(error)
        for failure in failures:
            log.error(f"cannot detach {planned.ifname} from network {planned.name}: {failure.message}")
        if failures:
            left.insert(0, attachment)
            errors += failures
        else:
            log.verbose(f"detached {planned.ifname} from network {planned.name}")
    record.attachments = [*unreadable, *left]
    return errors


def forget_device_info(planned: Planned) -> None:
    """Remove what was said of the network's device, if it has one."""
    path = planned.capabilities.raw.get(DEVICE_INFO)
    if isinstance(path, str) and path:
        from cni_multus.deviceinfo import remove

        remove(path)


def joined(errors: list[CniError]) -> CniError:
    """One error for many: the first one's code, all their messages."""
    first = errors[0]
    if len(errors) > 1:
        first.message = "errors: " + " / ".join(error.message for error in errors)
    return first


def _as_added(request: Request, record: Record) -> Request:
    """The request, for the sandbox that the record is of and with the arguments of its ADD where it brings none."""
    base = request.with_config(request.config, None)
    base.command = "DEL"
    base.container_id, base.ifname, base.sandbox = record.container_id, record.ifname, record.key
    base.arguments = request.arguments or record.arguments
    return base


def _is_ours(planned: Planned, base: Request, settings: Settings) -> bool:
    """Whether the links of a network may go first: a program of its chain would have to see its link still."""
    plugins = planned.network.plugins
    if len(plugins) == 1:
        return True
    try:
        return not any(isinstance(find(plugin.text("type"), settings.search_path(base)), Program) for plugin in plugins)
    except CniError:
        return False


def _remove_links(record: Record, netns: str) -> None:
    """All our links of a sandbox with one message: each one alone would cost an RCU barrier of 15 ms."""
    container = Namespace.find(netns)
    if container is None:
        return
    with container:
        try:
            remove_group(container, group_of(record.key))
        except CniError:
            return  # then each network's plugin takes its own away, and says what keeps it from that
