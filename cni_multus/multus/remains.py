"""What an earlier ADD left that was killed, or that was of an earlier boot."""

from __future__ import annotations

from cni_multus.cni.errors import InvalidEnvironment
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.multus import records
from cni_multus.multus.detach import detach, joined
from cni_multus.multus.settings import blame, pod_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.multus.log import Log
    from cni_multus.multus.records import Found
    from cni_multus.multus.settings import Settings
    from cni_multus.state.journal import Journal


def clear(found: Found, request: Request, settings: Settings, journal: Journal, log: Log) -> None:
    """Take back what an earlier ADD left, before anything is made."""
    if _is_attached(found, request):
        raise InvalidEnvironment(
            f"{request.container_id} {request.ifname} is attached already: a DEL must come before the next ADD"
        )
    record = found.record
    errors = detach(request, settings, record, log)
    if errors:
        records.keep_what_is_left(journal, record)
        raise blame(joined(errors), f"Multus: [{pod_of(request)}]: cannot clear what an earlier ADD left")
    records.forget(record, settings, journal)


def _is_attached(found: Found, request: Request) -> bool:
    record = found.record
    if found.damage is not None:
        return False
    if not found.foreign:
        return record.complete and not record.failed and record.is_of(request.netns)
    with Namespace.open(request.netns) as container:
        return any(find_link(container, attachment.ifname) for attachment in record.attachments)
