"""STATUS of host-local: would an ADD get an address?"""

from __future__ import annotations

from cni_multus.cni.errors import CniError, NotAvailable
from cni_multus.state.readiness import why_not_writable
from cni_multus.state.reservations import Reservations
from ipam.host_local.allocation import exhausted, find_free
from ipam.host_local.config import parse_sets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request


def require_available(request: Request, ipam: Section, data_dir: str) -> None:
    """Raise NotAvailable where the directory cannot be written or a set has no free address."""
    if why := why_not_writable(f"{data_dir}/{request.name}"):
        raise NotAvailable(f"network {request.name}: no address can be reserved: {why}")
    if not (ipam.text("subnet") or ipam.items("ranges")) and request.config.section("capabilities").flag("ipRanges"):
        return  # they come with each ADD
    sets = parse_sets(request, ipam)
    if not Reservations.exist(data_dir, request.name):
        return
    try:
        with Reservations(data_dir, request.name, "cannot look for a free address") as reservations:
            full = [exhausted(at, one) for at, one in enumerate(sets) if find_free(reservations, at, one) is None]
    except CniError as error:
        raise NotAvailable(f"network {request.name}: {error.message}", error.details) from error
    if full:
        raise NotAvailable(f"network {request.name}: {full[0]}", "; ".join(full))
